{{/*
What the controller reads: its settings, and the Secrets and ConfigMaps that these name. As JSON, a list of volumes, each with
the path where it is mounted and whether it is written. Call with the settings.
*/}}
{{- define "pfring.controllerFiles" -}}
{{- $dir := "/etc/pfring-controller" -}}
{{- $source := .source -}}
{{- $store := .supply.store -}}
{{- $files := list
  (dict "path" (printf "%s/config.yaml" $dir) "subPath" "config.yaml" "volume" (dict "name" "settings" "configMap" (dict "name" (printf "%s-config" .supply.configMap)))) -}}
{{- /* A bucket or registry of the controller's own is reached as that of source is. */ -}}
{{- if or $source.url (eq $store.type "url") -}}
{{- with include "pfring.caVolume" (list "source-ca" $source.caBundle) | fromJson -}}
{{- $files = append $files (dict "path" (printf "%s/source-ca" $dir) "volume" .) -}}
{{- end -}}
{{- with $source.proxy.secret -}}
{{- $files = append $files (dict "path" (printf "%s/source-proxy" $dir) "volume" (dict "name" "source-proxy" "secret" (dict "secretName" .))) -}}
{{- end -}}
{{- end -}}
{{- if $source.url -}}
{{- with $source.publicKeySecret -}}
{{- $files = append $files (dict "path" (printf "%s/source-keys" $dir) "volume" (dict "name" "source-keys" "secret" (dict "secretName" .))) -}}
{{- end -}}
{{- with $source.credentialsSecret -}}
{{- $files = append $files (dict "path" (printf "%s/source-credentials" $dir) "volume" (dict "name" "source-credentials" "secret" (dict "secretName" .))) -}}
{{- end -}}
{{- if hasPrefix "file://" $source.url -}}
{{- $files = append $files (dict "path" (trimPrefix "file://" $source.url) "volume" (merge (dict "name" "modules") $source.volume)) -}}
{{- end -}}
{{- end -}}
{{- if include "pfring.registryLogin" . -}}
{{- $files = append $files (dict "path" (printf "%s/docker" $dir) "volume" (dict "name" "docker" "secret" (dict "secretName" .imageRepoSecret))) -}}
{{- end -}}
{{- with include "pfring.caVolume" (list "builder-ca" .supply.builder.caBundle) | fromJson -}}
{{- $files = append $files (dict "path" (printf "%s/builder-ca" $dir) "volume" .) -}}
{{- end -}}
{{- if and (eq $store.type "url") $store.credentialsSecret -}}
{{- $files = append $files (dict "path" (printf "%s/store-credentials" $dir) "volume" (dict "name" "store-credentials" "secret" (dict "secretName" $store.credentialsSecret))) -}}
{{- end -}}
{{- if eq $store.type "persistentVolumeClaim" -}}
{{- $claim := default .supply.configMap $store.persistentVolumeClaim.existingClaim -}}
{{- $files = append $files (dict "path" "/var/lib/pfring-controller" "written" true "volume" (dict "name" "store" "persistentVolumeClaim" (dict "claimName" $claim))) -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* Volume of a CA bundle, as JSON; {} for none. Call with a list of the volume's name and the block. */}}
{{- define "pfring.caVolume" -}}
{{- $name := index . 0 -}}
{{- with index . 1 -}}
{{- $items := list (dict "key" .key "path" .key) -}}
{{- if .configMap -}}
{{- dict "name" $name "configMap" (dict "name" .configMap "items" $items) | toJson -}}
{{- else if .secret -}}
{{- dict "name" $name "secret" (dict "secretName" .secret "items" $items) | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}
{{- end -}}
