{{/*
The agent's part of the settings, as JSON; each key of tap.kernelModule.agent is there. Call with the root context.
*/}}
{{- define "pfring.agent" -}}
{{- $tap := default dict .Values.tap -}}
{{- $agent := default dict (default dict $tap.kernelModule).agent -}}
{{- dict
  "image" (include "pfring.image" .)
  "pullPolicy" (include "pfring.pullPolicy" (list . $agent.image))
  "pullSecrets" (include "pfring.pullSecretNames" . | fromJsonArray)
  "resources" (default dict $agent.resources)
  "initResources" (default (default dict $agent.resources) $agent.initResources)
  "nodeSelector" (default dict $agent.nodeSelector)
  "affinity" (include "pfring.affinity" . | fromJson)
  "priorityClassName" (default "" $agent.priorityClassName)
  "runtimeClassName" (default "" $agent.runtimeClassName)
  "logLevel" (default "info" $agent.logLevel)
  "podAnnotations" (default dict $agent.podAnnotations)
  "podLabels" (default dict $agent.podLabels)
  "podSecurityContext" (default dict $agent.podSecurityContext)
  "seLinuxType" (default "" $agent.seLinuxType)
  "updateStrategy" (default dict $agent.updateStrategy)
  "revisionHistoryLimit" $agent.revisionHistoryLimit
  "hostNetwork" (default false $agent.hostNetwork)
  "dnsPolicy" (default "" $agent.dnsPolicy)
  "dnsConfig" (default dict $agent.dnsConfig)
  "extraEnv" (default list $agent.extraEnv)
  "extraVolumes" (default list $agent.extraVolumes)
  "extraVolumeMounts" (default list $agent.extraVolumeMounts)
  | toJson -}}
{{- end -}}

{{/*
Helm counts a DaemonSet as ready at desired - maxUnavailable, so --wait waits for every node only with 0. With unloadOnDestroy
the old pod must be gone before the new one loads, and with hostNetwork before the new one can listen. Call with the settings.
*/}}
{{- define "pfring.updateStrategy" -}}
{{- if .agent.updateStrategy -}}
{{- toYaml .agent.updateStrategy -}}
{{- else -}}
{{- $one := or .agent.hostNetwork (and (eq .mode "auto") .unloadOnDestroy) -}}
type: RollingUpdate
rollingUpdate:
  maxUnavailable: {{ ternary 1 0 $one }}
  maxSurge: {{ ternary 0 "10%" $one }}
{{- end -}}
{{- end -}}

{{/* Network and runtime of a pod; nothing by default. Call with the agent's or the controller's part of the settings. */}}
{{- define "pfring.podNetwork" }}
{{- if .hostNetwork }}
hostNetwork: true
{{- end }}
{{- with default (ternary "ClusterFirstWithHostNet" "" .hostNetwork) .dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .runtimeClassName }}
runtimeClassName: {{ quote . }}
{{- end }}
{{- end -}}

{{/*
Pull policy of an image of this project: its own, else Never if tap.docker.imagePullPolicy says so, else IfNotPresent for a
digest or a version, which name the same bytes for good: a node that starts again while the registry is down keeps its agent.
Call with a list of the root context and the values' block for the image.
*/}}
{{- define "pfring.pullPolicy" -}}
{{- $root := index . 0 -}}
{{- $image := default dict (index . 1) -}}
{{- $shared := default "Always" (default dict (default dict $root.Values.tap).docker).imagePullPolicy -}}
{{- $isPinned := or $image.digest (regexMatch "^v?[0-9]+[.][0-9]+[.][0-9]+" (include "pfring.string" (default $root.Chart.AppVersion $image.tag))) -}}
{{- if $image.pullPolicy -}}
{{- $image.pullPolicy -}}
{{- else if and $isPinned (eq $shared "Always") -}}
IfNotPresent
{{- else -}}
{{- $shared -}}
{{- end -}}
{{- end -}}

{{/* Names of the pull secrets as a JSON list: those of tap.docker and of Helm's global. Call with the root context. */}}
{{- define "pfring.pullSecretNames" -}}
{{- $names := list -}}
{{- range concat (default list (default dict (default dict .Values.tap).docker).imagePullSecrets) (default list (default dict .Values.global).imagePullSecrets) -}}
{{- $names = append $names (ternary (get (ternary . dict (kindIs "map" .)) "name") . (kindIs "map" .)) -}}
{{- end -}}
{{- uniq $names | toJson -}}
{{- end -}}

{{/*
The registry of this project's images, with the prefix of their names: global.imageRegistry takes the place of the host in
tap.docker.registry, as in other charts. Call with the root context.
*/}}
{{- define "pfring.registry" -}}
{{- $registry := default "docker.io/kubeshark" (default dict (default dict .Values.tap).docker).registry | trimSuffix "/" -}}
{{- with (default dict .Values.global).imageRegistry -}}
{{- $parts := splitList "/" $registry -}}
{{- $isHost := or (contains "." (first $parts)) (contains ":" (first $parts)) (eq (first $parts) "localhost") -}}
{{- $registry = concat (list (trimSuffix "/" .)) (ternary (rest $parts) $parts $isHost) | join "/" -}}
{{- end -}}
{{- $registry -}}
{{- end -}}

{{/* Marks an object whose text is not for Flux to put values into. */}}
{{- define "pfring.asItIs" -}}
kustomize.toolkit.fluxcd.io/substitute: disabled
{{- end -}}
