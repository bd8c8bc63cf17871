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
{{- end }}
{{- end -}}

{{/* What load needs beyond that. Call with the settings. */}}
{{- define "pfring.loadEnv" }}
{{- include "pfring.sourceEnv" .source }}
{{- if and .imageRepoSecret (hasPrefix "oci://" .source.url) }}
{{- include "pfring.env" (list "PFRING_SOURCE_DOCKER_CONFIG" "/etc/pfring/docker/.dockerconfigjson") }}
{{- end }}
{{- with include "pfring.parameters" . | fromJsonArray }}
{{- include "pfring.env" (list "PFRING_PARAMETERS" (join " " .)) }}
{{- end }}
{{- include "pfring.env" (list "PFRING_REPLACE_LOADED" .replaceLoaded) }}
{{- end -}}

{{/* Where modules come from and what they must pass; what is not set is left to the agent. Call with settings.source. */}}
{{- define "pfring.sourceEnv" }}
{{- include "pfring.env" (list "PFRING_SOURCE_URL" .url) }}
{{- include "pfring.env" (list "PFRING_SOURCE_VERIFY" .verify) }}
{{- with .publicKeys }}
{{- include "pfring.env" (list "PFRING_SOURCE_PUBLIC_KEYS" (include "pfring.publicKeys" .)) }}
{{- end }}
{{- if .publicKeySecret }}
{{- include "pfring.env" (list "PFRING_SOURCE_PUBLIC_KEY_DIR" "/etc/pfring/keys") }}
{{- end }}
{{- with .version }}
{{- include "pfring.env" (list "PFRING_SOURCE_VERSION" .) }}
{{- end }}
{{- with .minSerial }}
{{- include "pfring.env" (list "PFRING_SOURCE_MIN_SERIAL" .) }}
{{- end }}
{{- with .region }}
{{- include "pfring.env" (list "PFRING_SOURCE_REGION" .) }}
{{- end }}
{{- with .endpoint }}
{{- include "pfring.env" (list "PFRING_SOURCE_ENDPOINT" .) }}
{{- end }}
{{- if .pathStyle }}
{{- include "pfring.env" (list "PFRING_SOURCE_PATH_STYLE" "true") }}
{{- end }}
{{- if .credentialsSecret }}
{{- include "pfring.env" (list "PFRING_SOURCE_CREDENTIALS_DIR" "/etc/pfring/credentials") }}
{{- end }}
{{- if or .caBundle.configMap .caBundle.secret }}
{{- include "pfring.env" (list "PFRING_SOURCE_CA_FILE" (printf "/etc/pfring/ca/%s" .caBundle.key)) }}
{{- end }}
{{- with .proxy.http }}
{{- include "pfring.env" (list "PFRING_SOURCE_PROXY_HTTP" .) }}
{{- end }}
{{- with .proxy.https }}
{{- include "pfring.env" (list "PFRING_SOURCE_PROXY_HTTPS" .) }}
{{- end }}
{{- with .proxy.no }}
{{- include "pfring.env" (list "PFRING_SOURCE_PROXY_NO" .) }}
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
