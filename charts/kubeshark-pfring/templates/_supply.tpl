{{/*
Names of what belongs to the controller, by nameOverride and fullnameOverride as the agent's. The controller itself makes objects
by the same names. A Service's name is shorter than others, and begins with a letter.
*/}}
{{- define "pfring.supplyPrefix" -}}
{{- include "pfring.namePrefix" . | default (printf "%s-pfring" .Release.Name) -}}
{{- end -}}

{{/* The prefix that the values give; "" if they give none. */}}
{{- define "pfring.namePrefix" -}}
{{- $km := default dict (default dict .Values.tap).kernelModule -}}
{{- if or $km.nameOverride $km.fullnameOverride -}}{{- include "pfring.fullname" . -}}{{- end -}}
{{- end -}}

{{- define "pfring.controllerName" -}}
{{- printf "%s-controller" (include "pfring.supplyPrefix" .) -}}
{{- end -}}

{{/*
Name of the controller's objects that are in no namespace. A namespace has no dot, so the first one ends it: no other namespace and
name give the same.
*/}}
{{- define "pfring.controllerClusterName" -}}
{{- printf "%s.%s" .Release.Namespace (include "pfring.controllerName" .) -}}
{{- end -}}

{{- define "pfring.supplyName" -}}
{{- printf "%s-supply" (include "pfring.supplyPrefix" .) -}}
{{- end -}}

{{- define "pfring.supplyService" -}}
{{- $name := include "pfring.supplyName" . -}}
{{- ternary $name (printf "pfring-supply-%s" (include "pfring.namePrefix" . | default .Release.Name | sha256sum | trunc 12)) (regexMatch "^[a-z][a-z0-9-]{0,62}$" $name) -}}
{{- end -}}

{{/* Where agents find what the cluster builds: the controller's Service, or the bucket or registry that it writes to. */}}
{{- define "pfring.supplyURL" -}}
{{- $store := default dict (default dict (default dict (default dict .Values.tap).kernelModule).supply).store -}}
{{- if eq (default "" $store.type) "url" -}}
{{- default "" $store.url -}}
{{- else -}}
{{- printf "https://%s.%s.svc:8443" (include "pfring.supplyService" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "pfring.controllerSelector" -}}
app.kubernetes.io/name: kubeshark-pfring
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* Metadata of the controller's objects; as pfring.metadata, with its own component. Call with a list as for that. */}}
{{- define "pfring.controllerMetadata" -}}
{{- $metadata := include "pfring.metadata" . | fromYaml -}}
{{- $_ := set $metadata.labels "app.kubernetes.io/component" "controller" -}}
{{- toYaml $metadata -}}
{{- end -}}

{{/*
What the agent needs for modules that the cluster builds. The certificate authority and the public keys are in a ConfigMap that
the controller makes, so it may come after the agent. Call with the settings.
*/}}
{{- define "pfring.supplyEnv" }}
{{- if .supply.on }}
{{- include "pfring.env" (list "PFRING_SUPPLY_URL" .supply.url) }}
{{- include "pfring.env" (list "PFRING_SUPPLY_DIR" "/etc/pfring/supply") }}
{{- if eq .supply.store.type "url" }}
{{- with .supply.store }}
{{- include "pfring.optionalEnv" (list "PFRING_SUPPLY_REGION" .region) }}
{{- include "pfring.optionalEnv" (list "PFRING_SUPPLY_ENDPOINT" .endpoint) }}
{{- include "pfring.optionalEnv" (list "PFRING_SUPPLY_PATH_STYLE" .pathStyle) }}
{{- include "pfring.optionalEnv" (list "PFRING_SUPPLY_CREDENTIALS_DIR" (ternary "/etc/pfring/supply-credentials" "" (not (empty .credentialsSecret)))) }}
{{- end }}
{{- if and (include "pfring.registryLogin" .) (hasPrefix "oci://" .supply.store.url) }}
{{- include "pfring.env" (list "PFRING_SUPPLY_DOCKER_CONFIG" "/etc/pfring/docker/.dockerconfigjson") }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" if the registry of the source or of the store is asked with the login of imageRepoSecret. Call with the settings. */}}
{{- define "pfring.registryLogin" -}}
{{- $store := and .supply.on (eq .supply.store.type "url") (hasPrefix "oci://" .supply.store.url) -}}
{{- if and .imageRepoSecret (or (hasPrefix "oci://" .source.url) $store) -}}true{{- end -}}
{{- end -}}

{{- define "pfring.supplyMounts" }}
{{- if .supply.on }}
- name: supply
  mountPath: /etc/pfring/supply
  readOnly: true
{{- if and (eq .supply.store.type "url") .supply.store.credentialsSecret }}
- name: supply-credentials
  mountPath: /etc/pfring/supply-credentials
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "pfring.supplyVolumes" }}
{{- if .supply.on }}
- name: supply
  configMap:
    name: {{ .supply.configMap | quote }}
    optional: true
    defaultMode: 256
{{- if and (eq .supply.store.type "url") .supply.store.credentialsSecret }}
- name: supply-credentials
  secret:
    secretName: {{ .supply.store.credentialsSecret | quote }}
    defaultMode: 256
{{- end }}
{{- end }}
{{- end -}}

{{/* The controller's settings file: parts of the values, with the same keys. Call with the settings. */}}
{{- define "pfring.controllerConfig" -}}
{{- $supply := pick .supply "kernels" "keep" "parallel" "timeout" "pfringVersion" "signingKeySecret" "store" "builder" -}}
{{- dict "supply" $supply "source" .source "imageRepoSecret" .imageRepoSecret | toYaml -}}
{{- end -}}
