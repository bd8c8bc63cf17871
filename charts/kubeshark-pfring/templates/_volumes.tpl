{{/* Secrets and the like that only load and the test pod's probe may read. Call with the settings. */}}
{{- define "pfring.sourceMounts" }}
{{- if .source.credentialsSecret }}
- name: credentials
  mountPath: /etc/pfring/credentials
  readOnly: true
{{- end }}
{{- if .source.proxy.secret }}
- name: proxy
  mountPath: /etc/pfring/proxy
  readOnly: true
{{- end }}
{{- if .source.publicKeySecret }}
- name: keys
  mountPath: /etc/pfring/keys
  readOnly: true
{{- end }}
{{- if or .source.caBundle.configMap .source.caBundle.secret }}
- name: ca
  mountPath: /etc/pfring/ca
  readOnly: true
{{- end }}
{{- if include "pfring.registryLogin" . }}
- name: docker
  mountPath: /etc/pfring/docker
  readOnly: true
{{- end }}
{{- if hasPrefix "file://" .source.url }}
- name: modules
  mountPath: {{ trimPrefix "file://" .source.url | quote }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Their volumes. 256 is 0400: uid 0 owns the files and has no capability to read others'. */}}
{{- define "pfring.sourceVolumes" }}
{{- with .source.credentialsSecret }}
- name: credentials
  secret:
    secretName: {{ quote . }}
    defaultMode: 256
{{- end }}
{{- with .source.proxy.secret }}
- name: proxy
  secret:
    secretName: {{ quote . }}
    defaultMode: 256
{{- end }}
{{- with .source.publicKeySecret }}
- name: keys
  secret:
    secretName: {{ quote . }}
    defaultMode: 256
{{- end }}
{{- with .source.caBundle }}
{{- if .configMap }}
- name: ca
  configMap:
    name: {{ .configMap | quote }}
    defaultMode: 256
    items:
      - key: {{ .key | quote }}
        path: {{ .key | quote }}
{{- else if .secret }}
- name: ca
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 256
    items:
      - key: {{ .key | quote }}
        path: {{ .key | quote }}
{{- end }}
{{- end }}
{{- if include "pfring.registryLogin" . }}
- name: docker
  secret:
    secretName: {{ .imageRepoSecret | quote }}
    defaultMode: 256
    items:
      - key: .dockerconfigjson
        path: .dockerconfigjson
{{- end }}
{{- if hasPrefix "file://" .source.url }}
- name: modules
  {{- toYaml .source.volume | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Volumes of the pod. Of the host: in auto /sys to read (lockdown and Secure Boot cannot be seen from inside otherwise) and the
state file's folder, with ring counters /proc to read. Never /lib/modules. Call with the settings.
*/}}
{{- define "pfring.volumes" }}
- name: outcome
  emptyDir:
    sizeLimit: 1Mi
{{- if eq .mode "auto" }}
- name: sys
  hostPath:
    path: /sys
    type: Directory
{{- if .stateFile }}
- name: state
  hostPath:
    path: {{ dir .stateFile | quote }}
    type: DirectoryOrCreate
- name: watch
  hostPath:
    path: {{ include "pfring.watchFolder" . | quote }}
    type: DirectoryOrCreate
{{- end }}
{{- if .cache.enabled }}
- name: cache
  hostPath:
    path: {{ .cache.hostPath | quote }}
    type: DirectoryOrCreate
{{- end }}
{{- include "pfring.sourceVolumes" . }}
{{- include "pfring.supplyVolumes" . }}
{{- end }}
{{- if .metrics.rings }}
- name: proc
  hostPath:
    path: /proc
    type: Directory
{{- end }}
{{- end -}}

{{/* The folder on the host that run alone writes, below that of the state file. Call with the settings. */}}
{{- define "pfring.watchFolder" -}}
{{ dir .stateFile }}/watch
{{- end -}}

{{/* Mounts of the init container, which writes the outcome. Call with the settings. */}}
{{- define "pfring.initMounts" }}
- name: outcome
  mountPath: /run/pfring
{{- if eq .mode "auto" }}
{{- if .stateFile }}
- name: state
  mountPath: {{ dir .stateFile | quote }}
{{- end }}
{{- if .cache.enabled }}
- name: cache
  mountPath: {{ .cache.hostPath | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Mounts of run: it serves the network, so it can change nothing that load goes by. Call with the settings. */}}
{{- define "pfring.runMounts" }}
- name: outcome
  mountPath: /run/pfring
  readOnly: true
{{- if and (eq .mode "auto") .stateFile }}
- name: state
  mountPath: {{ dir .stateFile | quote }}
  readOnly: true
- name: watch
  mountPath: {{ include "pfring.watchFolder" . | quote }}
{{- end }}
{{- end -}}
