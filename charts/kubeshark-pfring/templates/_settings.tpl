{{/*
Sets .PFRingSettings of the root context: the settings of tap.kernelModule with every block present. A user who nulls a
block or a value in a values file gets its default or its empty form, never a nil pointer. Templates read this instead of
.Values, and do not change it. Every object needs the settings, most of them more than once, so they are read once and kept.
Call with the root context. It prints nothing.
*/}}
{{- define "pfring.settings" -}}
{{- if not (hasKey . "PFRingSettings") -}}
{{- $_ := set . "PFRingSettings" (include "pfring.readSettings" . | fromJson) -}}
{{- end -}}
{{- end -}}

{{- define "pfring.readSettings" -}}
{{- $tap := default dict .Values.tap -}}
{{- $km := default dict $tap.kernelModule -}}
{{- $kmm := default dict $km.kmm -}}
{{- $build := default dict $kmm.build -}}
{{- $sign := default dict $kmm.sign -}}
{{- $sa := default dict $km.serviceAccount -}}
{{- $metrics := default dict $km.metrics -}}
{{- $service := default dict $metrics.service -}}
{{- $rule := default dict $metrics.prometheusRule -}}
{{- $dashboard := default dict $metrics.dashboard -}}
{{- $scc := default dict (default dict $km.openshift).scc -}}
{{- dict
  "mode" (default "auto" $km.mode)
  "onUnavailable" (default "fallback" $km.onUnavailable)
  "waitTimeout" (ternary "4m" $km.waitTimeout (kindIs "invalid" $km.waitTimeout))
  "replaceLoaded" (default false $km.replaceLoaded)
  "unloadOnDestroy" (default false $km.unloadOnDestroy)
  "parameters" (default dict $km.parameters)
  "source" (include "pfring.source" . | fromJson)
  "supply" (include "pfring.supply" . | fromJson)
  "capabilities" (include "pfring.capabilities" . | fromJsonArray)
  "kernelMappings" (default list $km.kernelMappings)
  "imageRepoSecret" (default "" $km.imageRepoSecret)
  "historicImage" (default "" $km.image)
  "kmm" (dict
    "moduleName" (default (printf "%s-pf-ring" .Release.Name) $kmm.moduleName)
    "serviceAccountName" (default "" $kmm.serviceAccountName)
    "selector" (default dict $kmm.selector)
    "version" (default "" $kmm.version)
    "imagePullPolicy" (default "" $kmm.imagePullPolicy)
    "imageRebuildTriggerGeneration" (default 0 $kmm.imageRebuildTriggerGeneration)
    "modprobe" (dict "args" (default dict (default dict $kmm.modprobe).args))
    "build" (dict
      "dockerfiles" (default dict $build.dockerfiles)
      "buildArgs" (default list $build.buildArgs)
      "secrets" (default list $build.secrets))
    "sign" (dict
      "keySecret" (default "" $sign.keySecret)
      "certSecret" (default "" $sign.certSecret)))
  "agent" (include "pfring.agent" . | fromJson)
  "tolerations" (include "pfring.workerTolerations" . | fromJsonArray)
  "nodeSelectorTerms" (include "pfring.workerTerms" . | fromJsonArray)
  "serviceAccount" (dict
    "create" (ne (toString $sa.create) "false")
    "name" (default "" $sa.name)
    "annotations" (default dict $sa.annotations))
  "metrics" (dict
    "enabled" (ne (toString $metrics.enabled) "false")
    "port" (int64 (default 9102 $metrics.port))
    "rings" (default false $metrics.rings)
    "podMonitor" (include "pfring.monitor" $metrics.podMonitor | fromJson)
    "serviceMonitor" (include "pfring.monitor" $metrics.serviceMonitor | fromJson)
    "service" (dict
      "enabled" (default false $service.enabled)
      "labels" (default dict $service.labels)
      "annotations" (default dict $service.annotations))
    "prometheusRule" (dict
      "enabled" (default false $rule.enabled)
      "labels" (default dict $rule.labels))
    "dashboard" (dict
      "enabled" (default false $dashboard.enabled)
      "labels" (default dict $dashboard.labels)))
  "networkPolicy" (default false (default dict $km.networkPolicy).enabled)
  "networkPolicyFrom" (default list (default dict $km.networkPolicy).from)
  "scc" (default false $scc.create)
  "stateFile" (default "" $km.stateFile)
  "cache" (include "pfring.cache" $km.cache | fromJson)
  "labels" (default dict $tap.labels)
  "annotations" (default dict $tap.annotations)
  | toJson -}}
{{- end -}}

{{/* tap.kernelModule.cache, as JSON. Call with it. */}}
{{- define "pfring.cache" -}}
{{- $cache := default dict . -}}
{{- dict
  "enabled" (ne (toString $cache.enabled) "false")
  "hostPath" (default "/var/lib/kubeshark-pfring" $cache.hostPath)
  | toJson -}}
{{- end -}}

{{/*
Whether anything is to be installed: "true" or empty. tap.noKernelModule is the historic way to say enabled: false.
*/}}
{{- define "pfring.enabled" -}}
{{- $tap := default dict .Values.tap -}}
{{- $km := default dict $tap.kernelModule -}}
{{- if and (ne (toString $km.enabled) "false") (ne (toString $tap.noKernelModule) "true") -}}true{{- end -}}
{{- end -}}

{{/* Where Kubeshark has kept its modules, unsigned. */}}
{{- define "pfring.historicRoot" -}}https://api.kubeshark.co/kernel-modules{{- end -}}

{{/*
tap.kernelModule.source, as JSON. The historic tap.kernelModule.image is an oci:// source, unless source.url says otherwise.
*/}}
{{- define "pfring.source" -}}
{{- $km := default dict (default dict .Values.tap).kernelModule -}}
{{- $source := default dict $km.source -}}
{{- $url := default "" $source.url -}}
{{- if and $km.image (has (trimSuffix "/" $url) (list "" (include "pfring.historicRoot" .))) -}}
{{- /* As for Docker, a first part without dot or colon is not a registry. */ -}}
{{- $first := splitList "/" $km.image | first -}}
{{- $isRegistry := and (contains "/" $km.image) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) -}}
{{- $url = printf "oci://%s%s" (ternary "" "docker.io/" $isRegistry) $km.image -}}
{{- end -}}
{{- dict
  "url" $url
  "verify" (default "signature" $source.verify)
  "publicKeys" (default list $source.publicKeys)
  "publicKeySecret" (default "" $source.publicKeySecret)
  "version" (default "" $source.version)
  "minSerial" (default 0 $source.minSerial)
  "region" (default "" $source.region)
  "endpoint" (default "" $source.endpoint)
  "pathStyle" (default false $source.pathStyle)
  "credentialsSecret" (default "" $source.credentialsSecret)
  "caBundle" (include "pfring.caBundle" $source.caBundle | fromJson)
  "proxy" (merge (dict "secret" (default "" (default dict $source.proxy).secret)) (include "pfring.proxy" $source.proxy | fromJson))
  "volume" (default dict $source.volume)
  | toJson -}}
{{- end -}}

{{/*
Capabilities of the container that loads, as a JSON list: from the key of Kubeshark's older charts, then of its newer ones.
*/}}
{{- define "pfring.capabilities" -}}
{{- $tap := default dict .Values.tap -}}
{{- $old := (default dict $tap.capabilities).kernelModule -}}
{{- $new := (default dict (default dict $tap.securityContext).capabilities).kernelModule -}}
{{- default (list "SYS_MODULE") (default $new $old) | toJson -}}
{{- end -}}
