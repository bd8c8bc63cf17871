{{/*
Whether run, which serves the network, needs the host's files more than SELinux gives every container: for ring counters only.
*/}}
{{- define "pfring.runTouchesHost" -}}
{{- if .metrics.rings -}}true{{- end -}}
{{- end -}}

{{/*
Pod level: what is common to all containers. In kmm nothing needs root; on OpenShift with its own SCC binding the uid is left
to the range of the namespace, which restricted-v2 demands. agent.podSecurityContext is laid over it. Call with the settings.
*/}}
{{- define "pfring.podSecurity" -}}
{{- $base := dict "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if eq .mode "kmm" -}}
{{- $_ := set $base "runAsNonRoot" true -}}
{{- if not .scc -}}
{{- $_ := merge $base (dict "runAsUser" 65532 "runAsGroup" 65532) -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite $base .agent.podSecurityContext | toYaml -}}
{{- end -}}

{{/*
Pod level of the controller. On OpenShift with its own SCC binding ids are left to the range of the namespace.
supply.podSecurityContext is laid over it. Call with the settings.
*/}}
{{- define "pfring.controllerSecurity" -}}
{{- $base := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not .scc -}}
{{- $_ := merge $base (dict "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532) -}}
{{- end -}}
{{- mergeOverwrite $base .supply.podSecurityContext | toYaml -}}
{{- end -}}

{{/*
A container without any privilege. In auto it is uid 0, with no capability, because the state file on the host is root's.
Call with the settings.
*/}}
{{- define "pfring.unprivileged" -}}
{{- include "pfring.baseSecurity" (dict "settings" . "host" (include "pfring.runTouchesHost" .) "capabilities" list) -}}
{{- end -}}

{{/* A container that may load or unload a module: uid 0 (another uid gets no effective capability) and SYS_MODULE alone. */}}
{{- define "pfring.mayLoad" -}}
{{- include "pfring.baseSecurity" (dict "settings" . "host" "true" "capabilities" .capabilities) -}}
{{- end -}}

{{- define "pfring.baseSecurity" -}}
{{- $isAdmin := or (has "SYS_ADMIN" .capabilities) (has "CAP_SYS_ADMIN" .capabilities) -}}
{{- /* The API server refuses false together with SYS_ADMIN, which only a user's own list can bring. */ -}}
allowPrivilegeEscalation: {{ $isAdmin }}
privileged: false
readOnlyRootFilesystem: true
{{- if eq .settings.mode "auto" }}
runAsNonRoot: false
runAsUser: 0
runAsGroup: 0
{{- end }}
capabilities:
  drop:
    - ALL
  {{- with .capabilities }}
  add:
    {{- range . }}
    - {{ quote . }}
    {{- end }}
  {{- end }}
{{- if and .host .settings.agent.seLinuxType }}
seLinuxOptions:
  type: {{ .settings.agent.seLinuxType | quote }}
{{- end }}
{{- end -}}
