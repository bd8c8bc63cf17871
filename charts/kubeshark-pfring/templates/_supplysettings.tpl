{{/*
tap.kernelModule.supply with every block present, as JSON. "on" says whether the controller is installed. Call with the root
context.
*/}}
{{- define "pfring.supply" -}}
{{- $km := default dict (default dict .Values.tap).kernelModule -}}
{{- $supply := default dict $km.supply -}}
{{- $image := default dict $supply.image -}}
{{- $isSource := or (include "pfring.source" . | fromJson).url $km.image | empty | not -}}
{{- $on := ternary (not $isSource) (eq (toString $supply.enabled) "true") (kindIs "invalid" $supply.enabled) -}}
{{- dict
  "enabled" $supply.enabled
  "on" (and $on (eq (default "auto" $km.mode) "auto"))
  "kernels" (default list $supply.kernels)
  "keep" (default "720h" $supply.keep)
  "parallel" (int64 (default 2 $supply.parallel))
  "timeout" (default "30m" $supply.timeout)
  "pfringVersion" (include "pfring.string" $supply.pfringVersion)
  "signingKeySecret" (default "" $supply.signingKeySecret)
  "store" (include "pfring.store" $supply.store | fromJson)
  "builder" (include "pfring.builder" (list $supply.builder (include "pfring.pullSecretNames" . | fromJsonArray)) | fromJson)
  "image" (include "pfring.imageOf" (list . $image "pfring-controller"))
  "pullPolicy" (include "pfring.pullPolicy" (list . $image))
  "resources" (default dict $supply.resources)
  "nodeSelector" (default dict $supply.nodeSelector)
  "tolerations" (default list $supply.tolerations)
  "affinity" (default dict $supply.affinity)
  "priorityClassName" (default "" $supply.priorityClassName)
  "runtimeClassName" (default "" $supply.runtimeClassName)
  "revisionHistoryLimit" $supply.revisionHistoryLimit
  "hostNetwork" false
  "dnsPolicy" (default "" $supply.dnsPolicy)
  "dnsConfig" (default dict $supply.dnsConfig)
  "extraEnv" (default list $supply.extraEnv)
  "extraVolumes" (default list $supply.extraVolumes)
  "extraVolumeMounts" (default list $supply.extraVolumeMounts)
  "podSecurityContext" (default dict $supply.podSecurityContext)
  "podAnnotations" (default dict $supply.podAnnotations)
  "podLabels" (default dict $supply.podLabels)
  "configMap" (include "pfring.supplyName" .)
  "url" (include "pfring.supplyURL" .)
  | toJson -}}
{{- end -}}

{{/* Call with tap.kernelModule.supply.store. */}}
{{- define "pfring.store" -}}
{{- $store := default dict . -}}
{{- $claim := default dict $store.persistentVolumeClaim -}}
{{- dict
  "type" (default "configMaps" $store.type)
  "persistentVolumeClaim" (dict
    "size" (default "1Gi" $claim.size)
    "storageClassName" (default "" $claim.storageClassName)
    "existingClaim" (default "" $claim.existingClaim))
  "url" (default "" $store.url)
  "region" (default "" $store.region)
  "endpoint" (default "" $store.endpoint)
  "pathStyle" (default false $store.pathStyle)
  "credentialsSecret" (default "" $store.credentialsSecret)
  | toJson -}}
{{- end -}}

{{/* Call with a list of tap.kernelModule.supply.builder and the names of the pull secrets. */}}
{{- define "pfring.builder" -}}
{{- $builder := default dict (index . 0) -}}
{{- $pull := list -}}
{{- range concat (default list (index . 1)) (default list $builder.pullSecrets) -}}
{{- $pull = append $pull (include "pfring.secretName" .) -}}
{{- end -}}
{{- dict
  "images" (default dict $builder.images)
  "sourceURL" (default "" $builder.sourceURL)
  "sourceSHA256" (default "" $builder.sourceSHA256)
  "caBundle" (include "pfring.caBundle" $builder.caBundle | fromJson)
  "proxy" (include "pfring.proxy" $builder.proxy | fromJson)
  "packageMirrors" (default dict $builder.packageMirrors)
  "pullSecrets" (uniq $pull)
  "resources" (default dict $builder.resources)
  "nodeSelector" (default dict $builder.nodeSelector)
  "tolerations" (default list $builder.tolerations)
  "hostHeaders" (default false $builder.hostHeaders)
  "script" (default "" $builder.script)
  | toJson -}}
{{- end -}}

{{/* A caBundle block of the values, as JSON. Call with it. */}}
{{- define "pfring.caBundle" -}}
{{- $ca := default dict . -}}
{{- dict "configMap" (default "" $ca.configMap) "secret" (default "" $ca.secret) "key" (default "ca.crt" $ca.key) | toJson -}}
{{- end -}}

{{/* A proxy block of the values, as JSON. Call with it. */}}
{{- define "pfring.proxy" -}}
{{- $proxy := default dict . -}}
{{- dict "http" (default "" $proxy.http) "https" (default "" $proxy.https) "no" (default "" $proxy.no) | toJson -}}
{{- end -}}

{{/* Name of a pull secret, given as a text or as Kubernetes has it. */}}
{{- define "pfring.secretName" -}}
{{- if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end -}}
{{- end -}}
