#!/usr/bin/env bash
# Writes the digests of a release's images into the chart's values: stdin has a line
# "REGISTRY/NAME:TAG sha256:…" for each image, as `make image` prints them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
values=charts/kubeshark-pfring/values.yaml
pinned=0
while read -r image digest rest; do
    case $digest in sha256:????????????????????????????????????????????????????????????????) ;; *) continue ;; esac
    name=${image##*/} name=${name%%:*}
    awk -v name="$name" -v digest="$digest" '
        $1 == "repository:" { ours = $2 == name }
        ours && $1 == "digest:" { sub(/digest:.*/, "digest: \"" digest "\""); ours = 0; done = 1 }
        { print }
        END { exit !done }' "$values" >"$values.new" || { rm -f "$values.new"; echo "$values has no image $name" >&2; exit 1; }
    mv "$values.new" "$values"
    pinned=$((pinned + 1))
done
[ "$pinned" -gt 0 ] || { echo "no digest to pin on stdin" >&2; exit 1; }
