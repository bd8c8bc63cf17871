#!/usr/bin/env bash
# Runs all tests, shows each package as it ends, and lists the slowest tests. The
# large programs that some tests run are built meanwhile, before those tests begin.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -C hack/gotestsum -o "$out/gotestsum" gotest.tools/gotestsum

run() { # NAME PACKAGE…
  local name=$1
  shift
  "$out/gotestsum" --format pkgname --hide-summary skipped --jsonfile "$out/$name.json" -- -timeout 60m "$@"
}

go run ./tests/parts &
parts=$!
failed=0
mapfile -t alone < <(go list ./... | grep -v /tests/)
mapfile -t beside < <(go list ./tests/... | grep -v -e '/tests/node$' -e '/tests/supply$')
run alone "${alone[@]}" || failed=1
wait "$parts" || failed=1
# The two longest first. An emulated node is too slow beside more packages than there
# are processors: probes and commands then end late.
run beside -p "$(nproc)" ./tests/node ./tests/supply "${beside[@]}" || failed=1

echo
echo "The slowest tests:"
cat "$out"/*.json | "$out/gotestsum" tool slowest --num 20
exit "$failed"
