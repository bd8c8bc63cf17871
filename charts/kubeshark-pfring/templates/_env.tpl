{{/* Environment of every container of the agent. Call with the settings. */}}
{{- define "pfring.commonEnv" }}
- name: PFRING_NODE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: spec.nodeName
{{- include "pfring.env" (list "PFRING_LOG_LEVEL" .agent.logLevel) }}
{{- include "pfring.env" (list "PFRING_ON_UNAVAILABLE" .onUnavailable) }}
{{- if and (eq .mode "auto") .stateFile }}
{{- include "pfring.env" (list "PFRING_STATE_FILE" .stateFile) }}
{{- include "pfring.env" (list "PFRING_WATCH_FILE" (printf "%s/state.json" (include "pfring.watchFolder" .))) }}
{{- end }}
{{- end -}}

{{/* What load needs beyond that. Call with the settings. */}}
{{- define "pfring.loadEnv" }}
{{- include "pfring.sourceEnv" . }}
{{- include "pfring.supplyEnv" . }}
{{- with include "pfring.parameters" . | fromJsonArray }}
{{- include "pfring.env" (list "PFRING_PARAMETERS" (join " " .)) }}
{{- end }}
{{- include "pfring.env" (list "PFRING_REPLACE_LOADED" .replaceLoaded) }}
{{- if .cache.enabled }}
{{- include "pfring.env" (list "PFRING_CACHE_DIR" .cache.hostPath) }}
{{- end }}
{{- end -}}

{{/*
Where modules come from, what they must pass and how to get at them; what is not set is left to the agent.
Call with the settings.
*/}}
{{- define "pfring.sourceEnv" }}
{{- with .source }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_URL" .url) }}
{{- include "pfring.env" (list "PFRING_SOURCE_VERIFY" .verify) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PUBLIC_KEYS" (include "pfring.publicKeys" .publicKeys)) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PUBLIC_KEY_DIR" (ternary "/etc/pfring/keys" "" (not (empty .publicKeySecret)))) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_VERSION" .version) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_MIN_SERIAL" .minSerial) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_REGION" .region) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_ENDPOINT" .endpoint) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PATH_STYLE" .pathStyle) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_CREDENTIALS_DIR" (ternary "/etc/pfring/credentials" "" (not (empty .credentialsSecret)))) }}
{{- if or .caBundle.configMap .caBundle.secret }}
{{- include "pfring.env" (list "PFRING_SOURCE_CA_FILE" (printf "/etc/pfring/ca/%s" .caBundle.key)) }}
{{- end }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PROXY_HTTP" .proxy.http) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PROXY_HTTPS" .proxy.https) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PROXY_NO" .proxy.no) }}
{{- include "pfring.optionalEnv" (list "PFRING_SOURCE_PROXY_CREDENTIALS_DIR" (ternary "/etc/pfring/proxy" "" (not (empty .proxy.secret)))) }}
{{- end }}
{{- if and (include "pfring.registryLogin" .) (hasPrefix "oci://" .source.url) }}
{{- include "pfring.env" (list "PFRING_SOURCE_DOCKER_CONFIG" "/etc/pfring/docker/.dockerconfigjson") }}
{{- end }}
{{- end -}}

{{/* minisign keys with commas between them. A key pasted as a whole file has a comment line above the key itself. */}}
{{- define "pfring.publicKeys" -}}
{{- $out := list -}}
{{- range . -}}
{{- $out = append $out (toString . | trim | splitList "\n" | last | trim) -}}
{{- end -}}
{{- join "," $out -}}
{{- end -}}

{{/* What run needs. The server always runs, for the probes; metrics.enabled switches /metrics. Call with the settings. */}}
{{- define "pfring.runEnv" }}
{{- include "pfring.env" (list "PFRING_METRICS_ADDRESS" (printf ":%d" (int64 .metrics.port))) }}
{{- include "pfring.env" (list "PFRING_METRICS" .metrics.enabled) }}
{{- if .metrics.rings }}
{{- include "pfring.env" (list "PFRING_RINGS" "true") }}
{{- include "pfring.env" (list "PFRING_HOST_PROC" "/host/proc") }}
{{- end }}
{{- if and (eq .mode "auto") .unloadOnDestroy }}
{{- include "pfring.env" (list "PFRING_UNLOAD_ON_DESTROY" "true") }}
{{- include "pfring.env" (list "PFRING_UNLOAD_TIMEOUT" "20s") }}
{{- end }}
{{- end -}}
