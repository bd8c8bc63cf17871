{{/* The init container: load in auto, wait in kmm. Call with the settings. */}}
{{- define "pfring.initContainer" -}}
name: {{ ternary "load" "wait" (eq .mode "auto") }}
{{ include "pfring.containerImage" . }}
args:
  - {{ ternary "load" "wait" (eq .mode "auto") }}
env:
  {{- include "pfring.commonEnv" . | trim | nindent 2 }}
  {{- if eq .mode "auto" }}
  {{- include "pfring.loadEnv" . | trim | nindent 2 }}
  {{- else }}
  {{- include "pfring.env" (list "PFRING_WAIT_MODE" "kmm") | trim | nindent 2 }}
  {{- include "pfring.env" (list "PFRING_WAIT_TIMEOUT" .waitTimeout) | trim | nindent 2 }}
  {{- end }}
  {{- with .agent.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "pfring.resources" .agent.initResources }}
securityContext:
  {{- if eq .mode "auto" }}
  {{- include "pfring.mayLoad" . | nindent 2 }}
  {{- else }}
  {{- include "pfring.baseSecurity" (dict "settings" . "host" "" "capabilities" list) | nindent 2 }}
  {{- end }}
volumeMounts:
  {{- include "pfring.initMounts" . | trim | nindent 2 }}
  {{- if eq .mode "auto" }}
  - name: sys
    mountPath: /host/sys
    readOnly: true
  {{- with printf "%s%s" (include "pfring.sourceMounts" .) (include "pfring.supplyMounts" .) | trim }}
  {{- nindent 2 . }}
  {{- end }}
  {{- end }}
  {{- with .agent.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The main container: watches the module and serves probes and metrics. Call with the settings. */}}
{{- define "pfring.mainContainer" -}}
name: run
{{ include "pfring.containerImage" . }}
args:
  - run
env:
  {{- include "pfring.commonEnv" . | trim | nindent 2 }}
  {{- include "pfring.runEnv" . | trim | nindent 2 }}
  {{- with .agent.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: http
    containerPort: {{ int64 .metrics.port }}
    protocol: TCP
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 5
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 20
  timeoutSeconds: 5
{{- include "pfring.resources" .agent.resources }}
securityContext:
  {{- if and (eq .mode "auto") .unloadOnDestroy }}
  {{- include "pfring.mayLoad" . | nindent 2 }}
  {{- else }}
  {{- include "pfring.unprivileged" . | nindent 2 }}
  {{- end }}
volumeMounts:
  {{- include "pfring.runMounts" . | trim | nindent 2 }}
  {{- if .metrics.rings }}
  - name: proc
    mountPath: /host/proc
    readOnly: true
  {{- end }}
  {{- with .agent.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "pfring.containerImage" -}}
image: {{ .agent.image | quote }}
imagePullPolicy: {{ .agent.pullPolicy | quote }}
{{- /* The outcome is in the message; if the agent dies before it writes one, its last log lines do. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{- define "pfring.resources" -}}
{{- with . }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "pfring.pullSecrets" -}}
{{- with .agent.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ quote . }}
  {{- end }}
{{- end }}
{{- end -}}
