{{/*
What PodMonitor and ServiceMonitor have in common: how the endpoint is scraped. Call with a list of the settings and the block of
the values.
*/}}
{{- define "pfring.endpoint" -}}
{{- $monitor := index . 1 -}}
port: http
path: /metrics
interval: {{ $monitor.interval | quote }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ quote . }}
{{- end }}
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
  {{- with $monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A monitor's block of the values with each key present, as a dict in JSON. Call with the block. */}}
{{- define "pfring.monitor" -}}
{{- $monitor := default dict . -}}
{{- dict
  "enabled" (default false $monitor.enabled)
  "namespace" (default "" $monitor.namespace)
  "interval" (default "30s" $monitor.interval)
  "scrapeTimeout" (default "" $monitor.scrapeTimeout)
  "labels" (default dict $monitor.labels)
  "relabelings" (default list $monitor.relabelings)
  "metricRelabelings" (default list $monitor.metricRelabelings)
  | toJson -}}
{{- end -}}

{{/*
Metadata of a monitor, which may be in another namespace than what it watches. Call with a list of the root context, the name
and the block.
*/}}
{{- define "pfring.monitorMetadata" -}}
{{- $metadata := include "pfring.metadata" (list (index . 0) (index . 1) dict (index . 2).labels) | fromYaml -}}
{{- with (index . 2).namespace }}{{ $_ := set $metadata "namespace" . }}{{ end -}}
{{- toYaml $metadata -}}
{{- end -}}

{{/* Where it looks for what it watches, if that is another namespace. Call as for the metadata. */}}
{{- define "pfring.monitorNamespace" -}}
{{- with (index . 2).namespace }}
namespaceSelector:
  matchNames:
    - {{ (index $ 0).Release.Namespace | quote }}
{{- end }}
{{- end -}}
