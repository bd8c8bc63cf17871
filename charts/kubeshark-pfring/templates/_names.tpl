{{/*
Name of the namespaced objects. Two releases never share one: each of the two suffixes shows which releases it belongs to,
and a release name (at most 53 characters) is never cut. So a release named kubeshark-pfring gets kubeshark-pfring-agent.
nameOverride takes the suffix's place, fullnameOverride that of the whole. The labels stay, since pfring finds its objects by them.
*/}}
{{- define "pfring.fullname" -}}
{{- $km := default dict (default dict .Values.tap).kernelModule -}}
{{- if $km.fullnameOverride -}}
{{- $km.fullnameOverride -}}
{{- else -}}
{{- default (ternary "agent" "pfring" (hasSuffix "pfring" .Release.Name)) $km.nameOverride | printf "%s-%s" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the agent's pods. They are immutable in a DaemonSet, so neither versions nor users' labels go in. */}}
{{- define "pfring.selectorLabels" -}}
app.kubernetes.io/name: kubeshark-pfring
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: agent
{{- end -}}

{{/* Labels of every object: the standard ones, then tap.labels, which cannot replace a standard one. Call with the root context. */}}
{{- define "pfring.labels" -}}
{{- include "pfring.labelsWith" (list . dict) -}}
{{- end -}}

{{/* The same with labels of one object's own between them. Call with a list of root context and those labels. */}}
{{- define "pfring.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $standard := include "pfring.standardLabels" $root | fromYaml -}}
{{- include "pfring.settings" $root -}}
{{- include "pfring.stringMap" (merge $standard (index . 1) $root.PFRingSettings.labels) -}}
{{- end -}}

{{- define "pfring.standardLabels" -}}
{{ include "pfring.selectorLabels" . }}
app.kubernetes.io/part-of: kubeshark
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{- end -}}

{{/*
Metadata of an object: name, namespace, labels, annotations. Call with a list of root context and name, and then, if it has
any, the object's own annotations and own labels.
*/}}
{{- define "pfring.metadata" -}}
{{- $root := index . 0 -}}
{{- $own := concat (slice . 2) (list dict dict) -}}
name: {{ index . 1 | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "pfring.labelsWith" (list $root (index $own 1)) | nindent 2 }}
{{- include "pfring.settings" $root }}
{{- with merge (index $own 0) $root.PFRingSettings.annotations }}
annotations:
  {{- include "pfring.stringMap" . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pfring.serviceAccountName" -}}
{{- include "pfring.settings" . -}}
{{- $sa := .PFRingSettings.serviceAccount -}}
{{- if $sa.create -}}
{{- default (include "pfring.fullname" .) $sa.name -}}
{{- else -}}
{{- default "default" $sa.name -}}
{{- end -}}
{{- end -}}

{{/*
The agent's image. Of tap.docker only the registry is inherited: its tag is Kubeshark's version, not the agent's.
*/}}
{{- define "pfring.image" -}}
{{- include "pfring.imageOf" (list . (default dict (default dict (default dict .Values.tap).kernelModule).agent).image "pfring-agent") -}}
{{- end -}}

{{/* An image of this project. Call with a list of the root context, the values' block for it and its usual name. */}}
{{- define "pfring.imageOf" -}}
{{- $root := index . 0 -}}
{{- $image := default dict (index . 1) -}}
{{- $registry := default (include "pfring.registry" $root) $image.registry | trimSuffix "/" -}}
{{- $name := printf "%s/%s" $registry (default (index . 2) $image.repository) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (include "pfring.string" (default $root.Chart.AppVersion $image.tag)) -}}
{{- end -}}
{{- end -}}

{{/*
Labels of the agent's pods. A service mesh must stay away: its proxy starts after the init container that needs the network.
Call with a list of root context and settings.
*/}}
{{- define "pfring.podLabels" -}}
{{- $s := index . 1 -}}
{{- $own := include "pfring.selectorLabels" (index . 0) | fromYaml -}}
{{- include "pfring.stringMap" (merge $own $s.agent.podLabels (dict "sidecar.istio.io/inject" "false") $s.labels) -}}
{{- end -}}
