{{/* Contradictions in tap.kernelModule.supply. Call with the settings, in auto mode. */}}
{{- define "pfring.checkSupply" -}}
{{- $supply := .supply -}}
{{- if and (not $supply.on) (not .source.url) -}}
{{- fail "tap.kernelModule.supply.enabled: nodes get modules from source.url or from the cluster's own builds, and both are off; set tap.kernelModule.source.url, or remove supply.enabled: false" -}}
{{- end -}}
{{- if $supply.on -}}
{{- include "pfring.checkStore" (list $supply.store .imageRepoSecret) -}}
{{- if and $supply.builder.caBundle.configMap $supply.builder.caBundle.secret -}}
{{- fail "tap.kernelModule.supply.builder.caBundle: give either configMap or secret" -}}
{{- end -}}
{{- if and (not $supply.builder.sourceURL) $supply.builder.sourceSHA256 -}}
{{- fail "tap.kernelModule.supply.builder.sourceSHA256: without builder.sourceURL the source is verified by its content; remove it, or set builder.sourceURL" -}}
{{- end -}}
{{- if and .source.version $supply.pfringVersion (ne (toString .source.version) $supply.pfringVersion) -}}
{{- fail (printf "tap.kernelModule.supply.pfringVersion: agents load PF_RING %s only, by source.version; write the same, or remove one of the two" .source.version) -}}
{{- end -}}
{{- $known := list "" "8.9.0" "8.8.0" -}}
{{- if and (not (has $supply.pfringVersion $known)) (or (not $supply.builder.sourceURL) (not $supply.builder.sourceSHA256)) -}}
{{- fail (printf "tap.kernelModule.supply.pfringVersion: the content of %s is not known, so its archive cannot be verified; set builder.sourceURL and builder.sourceSHA256" $supply.pfringVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Exactly one place to keep modules in, with the login that it is known to ask for. Call with a list of supply.store and
imageRepoSecret. */}}
{{- define "pfring.checkStore" -}}
{{- $imageRepoSecret := index . 1 -}}
{{- with index . 0 -}}
{{- if and .url (ne .type "url") -}}
{{- fail (printf "tap.kernelModule.supply.store.url: modules are kept in one place, and store.type is %s; set store.type: url, or remove the URL" .type) -}}
{{- end -}}
{{- if and .persistentVolumeClaim.existingClaim (ne .type "persistentVolumeClaim") -}}
{{- fail (printf "tap.kernelModule.supply.store.persistentVolumeClaim.existingClaim: modules are kept in one place, and store.type is %s; set store.type: persistentVolumeClaim, or remove the claim" .type) -}}
{{- end -}}
{{- if eq .type "url" -}}
{{- if not .url -}}
{{- fail "tap.kernelModule.supply.store.url: store.type is url, and the URL of the bucket or registry is missing" -}}
{{- end -}}
{{- $public := regexMatch "^oci://([^/]+[.])?(docker[.]io|ghcr[.]io|quay[.]io|gcr[.]io|pkg[.]dev|azurecr[.]io|amazonaws[.]com|public[.]ecr[.]aws|registry[.]gitlab[.]com)/" .url -}}
{{- if and (not .credentialsSecret) $public (not $imageRepoSecret) -}}
{{- fail (printf "tap.kernelModule.imageRepoSecret: %s takes no module without a login; name a Secret of type kubernetes.io/dockerconfigjson" .url) -}}
{{- end -}}
{{- if and (not .credentialsSecret) .endpoint (hasPrefix "s3://" .url) -}}
{{- fail (printf "tap.kernelModule.supply.store.credentialsSecret: %s takes no module without a login; name a Secret with accessKeyID and secretAccessKey" .url) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
