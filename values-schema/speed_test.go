package valuesschema_test

import (
	"fmt"
	"strings"
	"testing"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// hostile are files of almost 4 MiB in which there is a problem of one kind at
// each line.
func hostile() map[string]string {
	lines := func(head, format string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range 100_000 {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	return map[string]string{
		"unknown keys":          lines("tap:\n  kernelModule:\n", "    unknown-key-no-%06d: some value\n"),
		"nearly known keys":     lines("tap:\n  kernelModule:\n", "    kernelMapping%06d: some value\n"),
		"keys of other charts":  lines("tap:\n", "  someOtherKey%06d: some value\n"),
		"items of a wrong type": lines("tap:\n  docker:\n    imagePullSecrets:\n", "    - %d\n"),
		"parameters":            lines("tap:\n  kernelModule:\n    parameters:\n", "      parameter_%06d: 1\n"),
		"labels":                lines("tap:\n  kernelModule:\n    agent:\n      nodeSelector:\n", "        bad key %06d: a\n"),
		"tolerations":           lines("tap:\n  kernelModule:\n    agent:\n      tolerations:\n", "      - value: a%06d\n"),
		"literals":              lines("tap:\n  kernelModule:\n    mode: kmm\n    kernelMappings:\n", "      - literal: a%06d\n"),
	}
}

// Whatever fills a file up to its bound, the problems are reported up to theirs. The
// time grows with the size and not with its square; `go test -bench Hostile`
// measures it.
func TestHostileFilesHaveAnEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			found := problemsOf(t, text)
			if n := len(found); n > 10_002 {
				t.Errorf("%d problems", n)
			}
			if errs, _ := valuesschema.Count(found); name == "unknown keys" && errs != 100_000 {
				t.Errorf("%d errors are counted", errs)
			}
		})
	}
}

// The aim is a second for the slowest.
func BenchmarkHostileValues(b *testing.B) {
	for name, text := range hostile() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			for range b.N {
				problemsOf(b, text)
			}
		})
	}
}
