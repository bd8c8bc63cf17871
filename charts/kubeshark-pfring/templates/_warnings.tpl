{{/* What NOTES.txt warns of, as a JSON list of sentences. Call with the root context. */}}
{{- define "pfring.warnings" -}}
{{- include "pfring.settings" . -}}
{{- $s := .PFRingSettings -}}
{{- $offline := eq (toString .Values.internetConnectivity) "false" -}}
{{- $out := list -}}
{{- if eq $s.mode "auto" -}}
{{- $out = include "pfring.autoWarnings" (list $s $offline) | fromJsonArray -}}
{{- else -}}
{{- $out = include "pfring.kmmWarnings" (list $s $offline .Release.Namespace) | fromJsonArray -}}
{{- end -}}
{{- if $s.metrics.rings -}}
{{- $out = append $out "tap.kernelModule.metrics.rings mounts the host's /proc, read only, into the main container." -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}

{{- define "pfring.autoWarnings" -}}
{{- $s := index . 0 -}}
{{- $out := list "Loading a module needs the capability SYS_MODULE: the namespace must admit Pod Security level privileged." -}}
{{- if not $s.source.url -}}
{{- else if ne $s.source.verify "signature" -}}
{{- $out = append $out (printf "Modules are loaded without a signature, since tap.kernelModule.source.verify is %s." $s.source.verify) -}}
{{- else if not (or $s.source.publicKeys $s.source.publicKeySecret) -}}
{{- $which := ternary "no module of tap.kernelModule.source.url can pass verification" "no module can pass verification and every node reports source-unsigned" $s.supply.on -}}
{{- $out = append $out (printf "No public key is set, so %s. Set tap.kernelModule.source.publicKeys or publicKeySecret, or allow less by tap.kernelModule.source.verify." $which) -}}
{{- end -}}
{{- if and (index . 1) (or (eq $s.source.url (include "pfring.historicRoot" .)) (hasPrefix "oci://docker.io/" $s.source.url)) -}}
{{- $out = append $out "internetConnectivity is false, but the source is on the internet. Set tap.kernelModule.source.url to a mirror of your own." -}}
{{- end -}}
{{- if and (index . 1) $s.supply.on (not $s.supply.builder.script) (or (not $s.supply.builder.sourceURL) (not $s.supply.builder.packageMirrors)) -}}
{{- $out = append $out "internetConnectivity is false, but builds fetch PF_RING's source, the compiler and kernel headers from the internet. Set tap.kernelModule.supply.builder.sourceURL and packageMirrors." -}}
{{- end -}}
{{- if $s.historicImage -}}
{{- $isSource := and (hasPrefix "oci://" $s.source.url) (hasSuffix $s.historicImage $s.source.url) -}}
{{- $out = append $out (ternary (printf "tap.kernelModule.image is historic. Write tap.kernelModule.source.url: %s instead." $s.source.url) "tap.kernelModule.image is historic, and ignored since tap.kernelModule.source.url is set. Remove it." $isSource) -}}
{{- end -}}
{{- if $s.unloadOnDestroy -}}
{{- $out = append $out "With tap.kernelModule.unloadOnDestroy helm --wait may return one node early; pfring status --wait waits for all." -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}

{{- define "pfring.kmmWarnings" -}}
{{- $s := index . 0 -}}
{{- $out := list "KMM's worker pods run in this namespace and need Pod Security level privileged there, though the agent itself satisfies restricted." -}}
{{- if $s.metrics.rings -}}
{{- $out = list "KMM's worker pods and the agent with ring counters need Pod Security level privileged in this namespace." -}}
{{- end -}}
{{- if and (index . 1) (contains "docker.io/kubeshark/pf-ring-module" (toJson $s.kernelMappings)) -}}
{{- $out = append $out "internetConnectivity is false, but the module images are on docker.io. Set containerImage in tap.kernelModule.kernelMappings to a registry of your own." -}}
{{- end -}}
{{- if $s.historicImage -}}
{{- $out = append $out "tap.kernelModule.image is historic and ignored: KMM takes its images from tap.kernelModule.kernelMappings." -}}
{{- end -}}
{{- if $s.unloadOnDestroy -}}
{{- $out = append $out "tap.kernelModule.unloadOnDestroy is ignored: in kmm mode KMM unloads." -}}
{{- end -}}
{{- if $s.kmm.version -}}
{{- $out = append $out (printf "KMM loads nothing on a node before it has the label kmm.node.kubernetes.io/version-module.%s.%s=%s." (index . 2) $s.kmm.moduleName (include "pfring.string" $s.kmm.version)) -}}
{{- end -}}
{{- if eq (regexReplaceAll "[a-zµ]" (include "pfring.string" $s.waitTimeout) "" | trimAll "0.") "" -}}
{{- $out = append $out "tap.kernelModule.waitTimeout is 0: pods wait for KMM indefinitely, and helm --wait with them." -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}
