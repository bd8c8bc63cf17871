{{/* One kernel mapping as KMM has it; build, sign, registryTLS and inTreeModulesToRemove pass through. Call with the mapping. */}}
{{- define "pfring.kernelMapping" -}}
{{- if .literal -}}
literal: {{ .literal | quote }}
{{- else -}}
regexp: {{ .regexp | quote }}
{{- end }}
containerImage: {{ .containerImage | quote }}
{{- range $key := list "build" "sign" "registryTLS" "inTreeModulesToRemove" }}
{{- with get $ $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
