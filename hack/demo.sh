#!/usr/bin/env bash
# The main job without a cluster: validate values, render both modes, and show
# what a mistake gets. Run by `make demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pfring=bin/pfring
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' plain=$'\033[0m'
fi
step() { printf '\n%s$ pfring %s%s\n' "$bold" "$*" "$plain"; "$pfring" "$@"; }

step validate --each examples/auto.yaml examples/kmm.yaml
for mode in auto kmm; do
    step render "examples/$mode.yaml" -n kubeshark --output-dir "$out/$mode"
    (cd "$out/$mode" && for f in *; do printf '    %s\n' "$f"; done)
done
printf '\nThe DaemonSet of mode auto begins like this:\n'
"$pfring" render examples/auto.yaml -n kubeshark | grep -A12 '^kind: DaemonSet' | sed 's/^/    /'
printf '\nAnd this is what a mistake gets:\n'
step validate examples/auto.yaml --set tap.kernelModule.mode=kkm --set tap.kernelModule.kernelMapings=1 || printf '(exit code %d)\n' $?
printf '\nNext: write values of your own, pfring render them, or: helm install pfring charts/kubeshark-pfring -n kubeshark -f values.yaml --wait\n'
