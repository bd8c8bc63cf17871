#!/usr/bin/env bash
# Release files into dist/release: archives of pfring for each platform, which are
# Helm plugins too, plugins for Helm 4, the agents, the chart, what they were built
# from (SPDX), checksums and a krew manifest. Run by `make dist`. The same commit gives the same bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:?set VERSION, such as v0.1.0}
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
out=${OUT:-dist/release}
export CGO_ENABLED=0 SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
rm -rf "$out"
mkdir -p "$out"
ldflags="-s -w -X github.com/kubeshark/kubeshark-pfring/internal/cli.Version=$version"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
for tool in archive chart licenses prov sbom; do go build -o "$build/$tool" "./hack/$tool"; done
go build -trimpath -ldflags "$ldflags" -o "$build/pfring" ./cmd/pfring
for shell in bash zsh fish powershell; do
    mkdir -p "$build/completions"
    "$build/pfring" completion "$shell" >"$build/completions/pfring.$shell"
done
go run ./hack/reference --man "$build/man"
"$build/licenses" --texts ./cmd/pfring >"$build/THIRD_PARTY_LICENSES"
# In an archive the program is already built, and is beside plugin.yaml.
sed -e '/^#/d' -e '/^hooks:/,$d' -e 's,/bin/pfring,/pfring,' plugin.yaml >"$build/plugin.yaml"

for platform in $platforms; do
    os=${platform%/*} arch=${platform#*/} exe='' form=tar.gz
    if [ "$os" = windows ]; then exe=.exe form=zip; fi
    dir=$build/$os-$arch name=pfring_${version}_${os}_$arch
    mkdir "$dir"
    if [ "$platform" = "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" ]; then
        cp "$build/pfring" "$dir/"
    else
        GOOS=$os GOARCH=$arch go build -trimpath -ldflags "$ldflags" -o "$dir/pfring$exe" ./cmd/pfring
    fi
    cp -r LICENSE README.md "$build/THIRD_PARTY_LICENSES" "$build/plugin.yaml" "$build/completions" "$build/man" hack/kubectl_complete-pfring "$dir/"
    "$build/archive" "$dir" "$out/$name.$form"
    "$build/sbom" "$dir/pfring$exe" pfring "$version" >"$out/$name.spdx.json"
done
for arch in amd64 arm64; do
    for name in pfring-agent pfring-controller; do
        program=$out/${name}_${version}_linux_$arch
        GOOS=linux GOARCH=$arch go build -trimpath -tags netgo,osusergo,nethttpomithttp2 -ldflags "-s -w -X main.version=$version" -o "$program" "./cmd/$name"
        "$build/sbom" "$program" "$name" "$version" >"$program.spdx.json"
    done
done
"$build/chart" --output "$out" --release "$version" >/dev/null
# Helm 4's plugins run the program that is in the PATH, so they are for every platform. It looks for them in a folder of their name.
for plugin in pfring pfring-inject; do
    dir=$build/helm4/$plugin/$plugin
    mkdir -p "$dir"
    sed -e '/^#/d' "hack/helm4/$plugin/plugin.yaml" >"$dir/plugin.yaml"
    cp LICENSE "$dir/"
    "$build/archive" "$build/helm4/$plugin" "$out/$plugin-${version#v}.tgz"
done
# PROV_KEY is a file with an OpenPGP key, by which Helm verifies chart and plugins; its public half goes with them.
if [ -n "${PROV_KEY:-}" ]; then
    "$build/prov" --key "$PROV_KEY" --public "$out/kubeshark-pfring.asc" "$out"/*.tgz "$out"/*.tar.gz
fi

(cd "$out" && sha256sum -- * >checksums.txt)
hack/krew.sh "$version" "$out" >"$build/pfring.yaml"
mv "$build/pfring.yaml" "$out/pfring.krew.yaml"
ls -l "$out"
