#!/usr/bin/env bash
# Release files into dist/: archives of pfring for each platform, the agents, the
# packaged chart, shell completions, a krew manifest, and their checksums. Run by
# `make dist`. The same commit gives the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:?set VERSION, such as v0.1.0}
export CGO_ENABLED=0 SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
rm -rf dist/release
mkdir -p dist/release
ldflags="-s -w -X github.com/kubeshark/kubeshark-pfring/cmd/cli.Version=$version"
# Members are named without "./", which Helm does not take.
pack() { (cd "$1" && tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - -- *) | gzip -9n >"$2"; }

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
    os=${platform%/*} arch=${platform#*/} exe=''
    [ "$os" = windows ] && exe=.exe
    dir=$build/$os-$arch
    mkdir -p "$dir/completions"
    GOOS=$os GOARCH=$arch go build -trimpath -ldflags "$ldflags" -o "$dir/pfring$exe" ./cmd/pfring
    cp LICENSE README.md "$dir/"
    if [ "$os/$arch" = "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" ]; then host=$dir/pfring; fi
done
for dir in "$build"/*; do
    for shell in bash zsh fish powershell; do "$host" completion "$shell" >"$dir/completions/pfring.$shell"; done
    pack "$dir" "dist/release/pfring_${version}_$(basename "$dir" | tr - _).tar.gz"
done
for arch in amd64 arm64; do
    GOOS=linux GOARCH=$arch go build -trimpath -tags netgo,osusergo -ldflags "-s -w -X main.version=$version" \
        -o "dist/release/pfring-agent_${version}_linux_$arch" ./cmd/pfring-agent
done

# helm package writes times of its own; the chart's folder packed by hand is the
# same to Helm, and the same each time.
mkdir -p "$build/chart"
cp -r charts/kubeshark-pfring "$build/chart/"
pack "$build/chart" "dist/release/kubeshark-pfring-$(sed -n 's/^version: //p' charts/kubeshark-pfring/Chart.yaml).tgz"

(cd dist/release && sha256sum -- * >checksums.txt)
hack/krew.sh "$version" >dist/release/pfring.krew.yaml
ls -l dist/release
