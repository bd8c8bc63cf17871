{{/*
Tolerations as a JSON list: the agent's own, or those of Kubeshark's workers. Its newer charts name them in
tap.tolerations.workers; the older ones always tolerate NoExecute, and NoSchedule unless tap.ignoreTainted.
*/}}
{{- define "pfring.workerTolerations" -}}
{{- $tap := default dict .Values.tap -}}
{{- $own := (default dict (default dict $tap.kernelModule).agent).tolerations -}}
{{- $workers := (default dict $tap.tolerations).workers -}}
{{- $historic := list (dict "effect" "NoExecute" "operator" "Exists") -}}
{{- if not $tap.ignoreTainted -}}
{{- $historic = append $historic (dict "effect" "NoSchedule" "operator" "Exists") -}}
{{- end -}}
{{- default $historic (default $workers $own) | toJson -}}
{{- end -}}

{{/* Node selector terms of Kubeshark's workers as a JSON list: a list up to its 52.3, a map with one for the workers since. */}}
{{- define "pfring.workerTerms" -}}
{{- $terms := (default dict .Values.tap).nodeSelectorTerms -}}
{{- if kindIs "map" $terms -}}
{{- $terms = $terms.workers -}}
{{- end -}}
{{- default list $terms | toJson -}}
{{- end -}}

{{/* Tolerations in YAML, the operator spelt out; key, operator, value and effect must be strings. Call with a list of tolerations. */}}
{{- define "pfring.tolerations" -}}
{{- range . }}
- {{ include "pfring.stringMap" (merge (dict "operator" (default "Equal" .operator)) (omit . "tolerationSeconds")) | nindent 2 | trim }}
  {{- if not (kindIs "invalid" .tolerationSeconds) }}
  tolerationSeconds: {{ int64 .tolerationSeconds }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
Where the agent's pods go: where Kubeshark's workers go, and only on Linux. The label is asked for by nodeSelector, which
holds together with every term; inside a term it would change what an empty term matches. Call with the settings.
*/}}
{{- define "pfring.scheduling" -}}
nodeSelector:
  {{- include "pfring.stringMap" (merge (dict "kubernetes.io/os" "linux") .agent.nodeSelector) | nindent 2 }}
{{- with .nodeSelectorTerms }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        {{- toYaml . | nindent 8 }}
{{- end }}
tolerations:
  {{- include "pfring.tolerations" .tolerations | trim | nindent 2 }}
{{- end -}}

{{/*
Node labels that select KMM's nodes, as JSON. KMM knows a plain map of labels only, so of the workers' terms a single one
of single-valued In expressions can be said; anything else needs kmm.selector. Call with the settings.
*/}}
{{- define "pfring.moduleSelector" -}}
{{- $os := dict "kubernetes.io/os" "linux" -}}
{{- if .kmm.selector -}}
{{- merge $os .kmm.selector | toJson -}}
{{- else -}}
{{- $why := "" -}}
{{- $labels := deepCopy .agent.nodeSelector -}}
{{- if gt (len .nodeSelectorTerms) 1 -}}
{{- $why = "has more than one term" -}}
{{- end -}}
{{- range .nodeSelectorTerms -}}
{{- if .matchFields -}}{{- $why = "has matchFields" -}}{{- end -}}
{{- if not .matchExpressions -}}{{- $why = "has a term without matchExpressions" -}}{{- end -}}
{{- range .matchExpressions -}}
{{- if or (ne (toString .operator) "In") (ne (len (default list .values)) 1) -}}
{{- $why = printf "asks for %s %v %v, not for one value" .key .operator (default list .values) -}}
{{- else if and (hasKey $labels .key) (ne (toString (get $labels .key)) (toString (first .values))) -}}
{{- $why = printf "asks for two values of %s" .key -}}
{{- else -}}
{{- $_ := set $labels .key (first .values) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $why -}}
{{- fail (printf "tap.kernelModule.kmm.selector: set it to the node labels of the capturing nodes. KMM selects by labels alone, and tap.nodeSelectorTerms %s" $why) -}}
{{- end -}}
{{- merge $os $labels | toJson -}}
{{- end -}}
{{- end -}}
