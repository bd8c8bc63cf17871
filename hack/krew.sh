#!/usr/bin/env bash
# Prints the krew manifest of a release, from its checksums.txt.
set -euo pipefail
version=${1:?usage: hack/krew.sh VERSION FOLDER}
out=${2:?usage: hack/krew.sh VERSION FOLDER}
cat <<EOF
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: pfring
spec:
  version: $version
  homepage: https://github.com/kubeshark/kubeshark-pfring
  shortDescription: Put the PF_RING kernel module onto nodes
  description: |
    Says which nodes can have the PF_RING kernel module for Kubeshark, checks the
    cluster and the values, renders the chart, and shows what happened to each node.
  platforms:
EOF
grep -oE "[0-9a-f]{64}  pfring_${version//./\\.}_[a-z]+_[a-z0-9]+\.(tar\.gz|zip)\$" "$out/checksums.txt" | while read -r sum file; do
    platform=${file#"pfring_${version}_"} exe=''
    platform=${platform%%.*}
    [[ $platform = windows* ]] && exe=.exe
    cat <<EOF
    - selector:
        matchLabels:
          os: ${platform%_*}
          arch: ${platform#*_}
      uri: https://github.com/kubeshark/kubeshark-pfring/releases/download/$version/$file
      sha256: $sum
      bin: pfring$exe
      files:
        - from: pfring$exe
          to: .
        - from: LICENSE
          to: .
EOF
done
