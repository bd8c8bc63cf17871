{{/*
What the schema cannot say: each problem ends the rendering with one line that names the key. Call with the root context.
*/}}
{{- define "pfring.checks" -}}
{{- include "pfring.settings" . -}}
{{- $s := .PFRingSettings -}}
{{- if eq $s.mode "kmm" -}}
{{- include "pfring.checkModuleName" (list .Release.Namespace $s.kmm.moduleName) -}}
{{- include "pfring.checkMappings" (list . $s) -}}
{{- include "pfring.checkTolerations" $s.tolerations -}}
{{- if eq (toString $s.supply.enabled) "true" -}}
{{- fail "tap.kernelModule.supply.enabled: the controller supplies auto mode, in kmm mode KMM brings the modules; remove it, or set tap.kernelModule.mode: auto" -}}
{{- end -}}
{{- else -}}
{{- include "pfring.checkSupply" $s -}}
{{- include "pfring.checkSource" $s.source -}}
{{- include "pfring.checkStateFile" $s.stateFile -}}
{{- include "pfring.checkLogins" $s -}}
{{- end -}}
{{- end -}}

{{/* Everybody who may read pods or ConfigMaps sees these URLs. Call with the settings. */}}
{{- define "pfring.checkLogins" -}}
{{- $urls := dict "source.url" .source.url "source.endpoint" .source.endpoint "source.proxy.http" .source.proxy.http "source.proxy.https" .source.proxy.https -}}
{{- if .supply.on -}}
{{- $urls = merge $urls (dict "supply.store.url" .supply.store.url "supply.store.endpoint" .supply.store.endpoint "supply.builder.sourceURL" .supply.builder.sourceURL "supply.builder.proxy.http" .supply.builder.proxy.http "supply.builder.proxy.https" .supply.builder.proxy.https) -}}
{{- end -}}
{{- range $key, $url := $urls -}}
{{- if regexMatch "^[A-Za-z0-9+.-]+://[^/?#]*@" (toString $url) -}}
{{- fail (printf "tap.kernelModule.%s: the URL contains credentials, which everybody who can read pods can see; put them into a Secret" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pfring.checkModuleName" -}}
{{- $length := add (len (index . 0)) (len (index . 1)) -}}
{{- if gt $length 40 -}}
{{- fail (printf "tap.kernelModule.kmm.moduleName: %q and the namespace %q have %d characters together, KMM takes at most 40; set a shorter name" (index . 1) (index . 0) $length) -}}
{{- end -}}
{{- end -}}

{{- define "pfring.checkMappings" -}}
{{- $root := index . 0 -}}
{{- $s := index . 1 -}}
{{- if ne (empty $s.kmm.sign.keySecret) (empty $s.kmm.sign.certSecret) -}}
{{- fail "tap.kernelModule.kmm.sign: give both keySecret and certSecret" -}}
{{- end -}}
{{- if not $s.kernelMappings -}}
{{- fail "tap.kernelModule.kernelMappings: kmm mode needs at least one mapping" -}}
{{- end -}}
{{- range $i, $mapping := $s.kernelMappings -}}
{{- $at := printf "tap.kernelModule.kernelMappings[%d]" $i -}}
{{- if eq (empty $mapping.literal) (empty $mapping.regexp) -}}
{{- fail (printf "%s: give either literal or regexp" $at) -}}
{{- end -}}
{{- if not $mapping.containerImage -}}
{{- fail (printf "%s: containerImage is missing" $at) -}}
{{- end -}}
{{- if kindIs "map" $mapping.build -}}
{{- include "pfring.checkBuild" (list $root $mapping.build $at) -}}
{{- end -}}
{{- if and $mapping.sign (not $mapping.build) (not $mapping.sign.unsignedImage) -}}
{{- fail (printf "%s: sign has no image to sign; add build or sign.unsignedImage" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Call with a list of the root context, the build and its path. */}}
{{- define "pfring.checkBuild" -}}
{{- $build := index . 1 -}}
{{- $at := index . 2 -}}
{{- if eq (empty $build.dockerfile) (empty $build.dockerfileConfigMap) -}}
{{- fail (printf "%s.build: give either dockerfile or dockerfileConfigMap" $at) -}}
{{- end -}}
{{- if and $build.dockerfile (not (include "pfring.dockerfile" (list (index . 0) $build.dockerfile))) -}}
{{- fail (printf "%s.build.dockerfile: there is no Dockerfile %q; the chart has debian, ubuntu, rhel, amazonlinux2 and amazonlinux2023, and tap.kernelModule.kmm.build.dockerfiles takes your own" $at $build.dockerfile) -}}
{{- end -}}
{{- end -}}

{{- define "pfring.checkTolerations" -}}
{{- range . -}}
{{- if not (has (default "Equal" .operator) (list "Equal" "Exists")) -}}
{{- fail (printf "tap.kernelModule.agent.tolerations: KMM supports only the operators Equal and Exists, got %q; set separate tolerations for the agent" .operator) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pfring.checkSource" -}}
{{- if hasPrefix "file://" .url -}}
{{- if not (regexMatch "^file:///[^/:%?#][^:%?#]*$" .url) -}}
{{- fail (printf "tap.kernelModule.source.url: %q must be file:///PATH with an absolute path below / and without any of : %% ? #" .url) -}}
{{- end -}}
{{- if not .volume -}}
{{- fail (printf "tap.kernelModule.source.volume: %q needs a volume to read from, for example {persistentVolumeClaim: {claimName: modules}}" .url) -}}
{{- end -}}
{{- end -}}
{{- if and .caBundle.configMap .caBundle.secret -}}
{{- fail "tap.kernelModule.source.caBundle: give either configMap or secret" -}}
{{- end -}}
{{- end -}}

{{/* The agent gets the file's folder writable from the host, so that must be a separate folder and not /, /run or /etc. */}}
{{- define "pfring.checkStateFile" -}}
{{- if and . (or (not (regexMatch "^(/[A-Za-z0-9._-]+){3,}$" .)) (regexMatch "/[.][.]?(/|$)" .)) -}}
{{- fail (printf "tap.kernelModule.stateFile: %q is not an absolute path in a separate folder at least two levels deep, such as /run/kubeshark-pfring/state.json" .) -}}
{{- end -}}
{{- end -}}
