package module_test

import (
	"context"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// BenchmarkGet finds, verifies, decompresses and inspects a module of the usual
// size from a folder, in each format.
func BenchmarkGet(b *testing.B) {
	for _, format := range formats() {
		b.Run(format, func(b *testing.B) {
			r := moduletest.NewRepository(b).Add(moduletest.KO{Padding: 2 * mib}, format).Sign()
			dir := b.TempDir()
			r.Write(dir)
			source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(2 * mib)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := module.Get(context.Background(), source, request(r)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
