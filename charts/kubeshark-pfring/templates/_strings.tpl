{{/* A scalar as text. Whole numbers keep their digits: Helm reads them as floats, which print as 1e+06. */}}
{{- define "pfring.string" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- printf "%.0f" . -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/*
A map of strings. Labels and annotations must be strings, so a bare true or 1 becomes one; null leaves the key out. Values
are quoted and not toYaml'd, since indenting a block scalar can change how many newlines it ends with.
*/}}
{{- define "pfring.stringMap" -}}
{{- $out := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $plain := regexMatch "^([a-z][A-Za-z0-9-]*[./][A-Za-z0-9._/-]*|key|operator|value|effect)$" $key -}}
{{- $out = append $out (printf "%s: %s" (ternary $key (quote $key) $plain) (include "pfring.string" $value | quote)) -}}
{{- end -}}
{{- end -}}
{{- if $out }}{{ join "\n" $out }}{{ else }}{}{{ end -}}
{{- end -}}

{{/* One environment variable. Call with a list of name and value; Kubernetes expands $(…), so each $ is doubled. */}}
{{- define "pfring.env" }}
- name: {{ index . 0 }}
  value: {{ include "pfring.string" (index . 1) | replace "$" "$$" | quote }}
{{- end -}}

{{/* The same, but nothing for an empty value, false or 0. */}}
{{- define "pfring.optionalEnv" }}
{{- if index . 1 }}
{{- include "pfring.env" . }}
{{- end }}
{{- end -}}

{{/* Module parameters as a JSON list of k=v, sorted by name. Call with the settings. */}}
{{- define "pfring.parameters" -}}
{{- $out := list -}}
{{- range $key, $value := .parameters -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $out = append $out (printf "%s=%s" $key (include "pfring.string" $value)) -}}
{{- end -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}
