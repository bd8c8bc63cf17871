#!/usr/bin/env bash
# Runs each fuzz target for FUZZTIME, a duration such as 30s or a number of inputs
# such as 2000x. PACKAGE=./module runs those of one package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
  [ -z "${PACKAGE:-}" ] || [ "${PACKAGE%/}" = "$dir" ] || continue
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' "$dir"/*_test.go); do
    echo "$dir $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 10x "$dir"
  done
done
