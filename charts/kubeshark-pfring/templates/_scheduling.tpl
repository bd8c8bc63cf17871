{{/*
Tolerations as a JSON list: the agent's own, else those of Kubeshark's workers; an empty list is none. Kubeshark's charts from
52.5 on name them in tap.tolerations.workers, by default NoExecute. The ones before tolerate NoExecute always, and NoSchedule
unless tap.ignoreTainted. They are recognized by keys that were removed at that time or before.
*/}}
{{- define "pfring.workerTolerations" -}}
{{- $tap := default dict .Values.tap -}}
{{- $own := (default dict (default dict $tap.kernelModule).agent).tolerations -}}
{{- $workers := (default dict $tap.tolerations).workers -}}
{{- $list := list (dict "effect" "NoExecute" "operator" "Exists") -}}
{{- if not (kindIs "invalid" $own) -}}
{{- $list = $own -}}
{{- else if not (kindIs "invalid" $workers) -}}
{{- $list = $workers -}}
{{- else if and (include "pfring.isHistoric" .) (not $tap.ignoreTainted) -}}
{{- $list = append $list (dict "effect" "NoSchedule" "operator" "Exists") -}}
{{- end -}}
{{- toJson $list -}}
{{- end -}}

{{/* Whether the values are of a chart of Kubeshark before 52.5: "true" or empty. */}}
{{- define "pfring.isHistoric" -}}
{{- $tap := default dict .Values.tap -}}
{{- $isList := and (kindIs "slice" $tap.nodeSelectorTerms) (not (empty $tap.nodeSelectorTerms)) -}}
{{- $km := default dict $tap.kernelModule -}}
{{- if or $isList (not (kindIs "invalid" $tap.ignoreTainted)) $km.image (hasKey $tap "noKernelModule") (hasKey (default dict $tap.capabilities) "kernelModule") -}}true{{- end -}}
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
What a node must be that can ever run the agent, as a JSON list of requirements: there is an image for two architectures, and
labels reveal nodes that represent a service or nothing at all.
*/}}
{{- define "pfring.possibleNodes" -}}
{{- list
  (dict "key" "kubernetes.io/arch" "operator" "In" "values" (list "amd64" "arm64"))
  (dict "key" "eks.amazonaws.com/compute-type" "operator" "NotIn" "values" (list "fargate"))
  (dict "key" "type" "operator" "NotIn" "values" (list "virtual-kubelet" "kwok"))
  (dict "key" "liqo.io/type" "operator" "NotIn" "values" (list "virtual-node"))
  | toJson -}}
{{- end -}}

{{/*
The agent's affinity, as JSON: its own, where {} is none, or the terms of Kubeshark's workers, each together with what a node
must be to run the agent. A term that asks for nothing matches no node, so it is left as it is. Call with the root context.
*/}}
{{- define "pfring.affinity" -}}
{{- $own := (default dict (default dict (default dict .Values.tap).kernelModule).agent).affinity -}}
{{- if not (kindIs "invalid" $own) -}}
{{- toJson $own -}}
{{- else -}}
{{- $possible := include "pfring.possibleNodes" . | fromJsonArray -}}
{{- $terms := list -}}
{{- range default (list dict) (include "pfring.workerTerms" . | fromJsonArray) -}}
{{- $term := deepCopy . -}}
{{- if or $term.matchExpressions $term.matchFields (empty (include "pfring.workerTerms" $ | fromJsonArray)) -}}
{{- $_ := set $term "matchExpressions" (concat (default list $term.matchExpressions) $possible) -}}
{{- end -}}
{{- $terms = append $terms $term -}}
{{- end -}}
{{- dict "nodeAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms)) | toJson -}}
{{- end -}}
{{- end -}}

{{/*
Where the agent's pods go: where Kubeshark's workers go, only on Linux, and only where it can run. The label is asked for by
nodeSelector, which holds together with every term. Call with the settings.
*/}}
{{- define "pfring.scheduling" -}}
nodeSelector:
  {{- include "pfring.stringMap" (merge (dict "kubernetes.io/os" "linux") .agent.nodeSelector) | nindent 2 }}
{{- with .agent.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- include "pfring.tolerations" . | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Which nodes the agent does not go to, in words, as a JSON list. Call with the root context. */}}
{{- define "pfring.leftOut" -}}
{{- include "pfring.settings" . -}}
{{- $s := .PFRingSettings -}}
{{- $tap := default dict .Values.tap -}}
{{- $agent := default dict (default dict $tap.kernelModule).agent -}}
{{- $out := list -}}
{{- if kindIs "invalid" $agent.affinity -}}
{{- $out = append $out "nodes other than Linux on amd64 and arm64, AWS Fargate, and virtual nodes" -}}
{{- if $s.nodeSelectorTerms -}}
{{- $out = append $out "nodes that tap.nodeSelectorTerms does not select" -}}
{{- end -}}
{{- else -}}
{{- $out = append $out "nodes other than Linux" -}}
{{- if $agent.affinity -}}
{{- $out = append $out "nodes that tap.kernelModule.agent.affinity does not select" -}}
{{- end -}}
{{- end -}}
{{- if $s.agent.nodeSelector -}}
{{- $out = append $out "nodes that tap.kernelModule.agent.nodeSelector does not select" -}}
{{- end -}}
{{- $all := dict -}}
{{- range $s.tolerations -}}
{{- if and (eq (default "Equal" .operator) "Exists") (not .key) -}}
{{- range ternary (list .effect) (list "NoSchedule" "NoExecute") (not (empty .effect)) -}}
{{- $_ := set $all . true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (and $all.NoSchedule $all.NoExecute) -}}
{{- $key := ternary "tap.tolerations.workers" "tap.kernelModule.agent.tolerations" (kindIs "invalid" $agent.tolerations) -}}
{{- $out = append $out (printf "nodes with a taint that %s does not tolerate%s" $key (ternary " (by default it tolerates NoExecute)" "" (and (kindIs "invalid" $agent.tolerations) (kindIs "invalid" (default dict $tap.tolerations).workers)))) -}}
{{- end -}}
{{- toJson $out -}}
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
{{- $why = printf "requires two values of %s" .key -}}
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
