{{/*
One kernel mapping as KMM has it: build and sign filled in, registryTLS and inTreeModulesToRemove as they are. Call with a list
of the settings and the mapping.
*/}}
{{- define "pfring.kernelMapping" -}}
{{- $s := index . 0 -}}
{{- $mapping := index . 1 -}}
{{- if $mapping.literal -}}
literal: {{ $mapping.literal | quote }}
{{- else -}}
regexp: {{ $mapping.regexp | quote }}
{{- end }}
containerImage: {{ $mapping.containerImage | quote }}
{{- $filled := dict "build" (include "pfring.build" . | fromJson) "sign" (include "pfring.sign" . | fromJson) -}}
{{- range $key := list "build" "sign" "registryTLS" "inTreeModulesToRemove" }}
{{- with get (hasKey $filled $key | ternary $filled $mapping) $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A mapping's build as KMM has it, as JSON; {} for none. Call with a list of the settings and the mapping. */}}
{{- define "pfring.build" -}}
{{- $s := index . 0 -}}
{{- $own := (index . 1).build -}}
{{- if kindIs "map" $own -}}
{{- $build := omit $own "dockerfile" "buildArgs" "secrets" -}}
{{- with $own.dockerfile -}}
{{- $_ := set $build "dockerfileConfigMap" (dict "name" (include "pfring.dockerfileName" (list $s .))) -}}
{{- end -}}
{{- $args := default list $own.buildArgs -}}
{{- $names := list -}}
{{- range $args }}{{ $names = append $names .name }}{{ end -}}
{{- $common := list -}}
{{- range $s.kmm.build.buildArgs -}}
{{- if not (has .name $names) }}{{ $common = append $common . }}{{ end -}}
{{- end -}}
{{- with concat $common $args }}{{ $_ := set $build "buildArgs" . }}{{ end -}}
{{- with concat $s.kmm.build.secrets (default list $own.secrets) | uniq }}{{ $_ := set $build "secrets" . }}{{ end -}}
{{- toJson $build -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/*
A mapping's sign as KMM has it, as JSON; {} for none. KMM's webhook wants the files to be named. Call with a list of the
settings and the mapping.
*/}}
{{- define "pfring.sign" -}}
{{- $s := index . 0 -}}
{{- $mapping := index . 1 -}}
{{- $sign := default dict $mapping.sign | deepCopy -}}
{{- if and (not $sign) (kindIs "map" $mapping.build) $s.kmm.sign.keySecret -}}
{{- $sign = dict "keySecret" (dict "name" $s.kmm.sign.keySecret) "certSecret" (dict "name" $s.kmm.sign.certSecret) -}}
{{- end -}}
{{- if and $sign (not $sign.filesToSign) -}}
{{- $_ := set $sign "filesToSign" (list "/opt/lib/modules/${KERNEL_FULL_VERSION}/pf_ring.ko") -}}
{{- end -}}
{{- toJson $sign -}}
{{- end -}}

{{/* Name of the ConfigMap with a Dockerfile. Call with a list of the settings and the Dockerfile's name. */}}
{{- define "pfring.dockerfileName" -}}
{{- printf "%s-dockerfile-%s" (index . 0).kmm.moduleName (index . 1) -}}
{{- end -}}

{{/* A Dockerfile's text: the user's own, else the chart's, else empty. Call with a list of the root context and the name. */}}
{{- define "pfring.dockerfile" -}}
{{- include "pfring.settings" (index . 0) -}}
{{- $s := (index . 0).PFRingSettings -}}
{{- default ((index . 0).Files.Get (printf "files/dockerfiles/%s.Dockerfile" (index . 1))) (get $s.kmm.build.dockerfiles (index . 1)) -}}
{{- end -}}

{{/* Names of the Dockerfiles that the mappings use, as JSON, sorted. Call with the settings. */}}
{{- define "pfring.dockerfilesUsed" -}}
{{- $names := list -}}
{{- range .kernelMappings -}}
{{- with (default dict .build).dockerfile }}{{ $names = append $names . }}{{ end -}}
{{- end -}}
{{- $names | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* The arguments of modprobe as KMM has them, as JSON; a list that is empty is left out. Call with the settings. */}}
{{- define "pfring.modprobeArgs" -}}
{{- $args := dict -}}
{{- range $action, $list := .kmm.modprobe.args }}{{ with $list }}{{ $_ := set $args $action . }}{{ end }}{{ end -}}
{{- toJson $args -}}
{{- end -}}
