#!/usr/bin/env bash
# Prints the krew manifest of a release, from dist/release/checksums.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1:?usage: hack/krew.sh VERSION}
cat <<EOF
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: pfring
spec:
  version: $version
  homepage: https://github.com/kubeshark/kubeshark-pfring
  shortDescription: Put the PF_RING kernel module onto nodes, for Kubeshark
  description: |
    Says which nodes can have the PF_RING kernel module, checks the cluster and
    the values, renders the chart, and shows what became of each node.
  platforms:
EOF
for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64 windows_amd64 windows_arm64; do
    file=pfring_${version}_$platform.tar.gz exe=''
    [[ $platform = windows* ]] && exe=.exe
    cat <<EOF
    - selector:
        matchLabels:
          os: ${platform%_*}
          arch: ${platform#*_}
      uri: https://github.com/kubeshark/kubeshark-pfring/releases/download/$version/$file
      sha256: $(grep " $file\$" dist/release/checksums.txt | cut -d' ' -f1)
      bin: pfring$exe
      files:
        - from: ./pfring$exe
          to: .
        - from: ./LICENSE
          to: .
EOF
done
