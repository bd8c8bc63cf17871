#!/usr/bin/env bash
# Installs the Debian packages that `make test` needs beside Go. Does nothing
# where they are there already, and nothing but say so where it may not. Names of
# further packages may be given.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
  echo "this is not Debian: install what a skipped test asks for by hand" >&2
  exit 0
fi

# tests/vm boots kernels and builds modules; the kernel's own build tools are
# linked with libelf and libssl. tests/node makes disks; tests/build compiles in
# a separate Debian.
packages=(gcc make minisign openssl zstd binutils git ca-certificates xz-utils kmod libelf1 libssl3 qemu-system-x86 qemu-system-arm gcc-12-aarch64-linux-gnu binutils-aarch64-linux-gnu e2fsprogs debootstrap "$@")

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "tests that need these will skip themselves; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
