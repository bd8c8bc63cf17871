//go:build unix

package bench_test

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func sizes() []int { return []int{1, 10, 100, 1000} }

func many(n int) string { return "tap:\n  kernelModule:\n    mode: kmm\n" + mappings(n) }

func load(tb testing.TB, text string) *valuesschema.Document {
	tb.Helper()
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: strings.NewReader(text), Defaults: defaults})
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func validate(tb testing.TB, text string) *valuesschema.Document {
	tb.Helper()
	doc := load(tb, text)
	if found := doc.Validate(); len(found) > 0 {
		tb.Fatal(found)
	}
	return doc
}

func render(tb testing.TB, chart *renderer.Chart, values map[string]any) {
	tb.Helper()
	r, err := renderer.Render(chart, renderer.Options{Values: values})
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.WriteStream(io.Discard); err != nil {
		tb.Fatal(err)
	}
}

func chart(tb testing.TB) *renderer.Chart {
	tb.Helper()
	c, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func BenchmarkValidate(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("mappings=%d", n), func(b *testing.B) {
			text := many(n)
			b.ReportAllocs()
			for b.Loop() {
				validate(b, text)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/mapping")
		})
	}
}

func BenchmarkRender(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("mappings=%d", n), func(b *testing.B) {
			c, values := chart(b), load(b, many(n)).Values()
			b.ReportAllocs()
			for b.Loop() {
				render(b, c, values)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/mapping")
		})
	}
}

// Ten times the mappings cost ten times the allocations, not a hundred times.
func TestCostIsLinearInTheNumberOfMappings(t *testing.T) {
	c := chart(t)
	for name, do := range map[string]func(n int) float64{
		"validate": func(n int) float64 {
			text := many(n)
			return testing.AllocsPerRun(3, func() { validate(t, text) })
		},
		"render": func(n int) float64 {
			values := load(t, many(n)).Values()
			return testing.AllocsPerRun(3, func() { render(t, c, values) })
		},
	} {
		at100, at1000 := do(100), do(1000)
		t.Logf("%s: %.0f allocations at 100 mappings, %.0f at 1000", name, at100, at1000)
		if at1000 > 11*at100 {
			t.Errorf("%s: %.0f allocations at 100 mappings, %.0f at 1000: more than linear", name, at100, at1000)
		}
	}
}

// What the benchmark feeds both programs has to be valid, or it would measure
// refusals.
func TestBenchmarkValuesAreValid(t *testing.T) {
	for n := range 20 {
		if errs, _ := valuesschema.Count(load(t, valuesFile(n)).Validate()); errs > 0 {
			t.Errorf("file %d: %v", n, load(t, valuesFile(n)).Validate())
		}
	}
	if valuesFile(1) == valuesFile(2) {
		t.Error("the files are all the same")
	}
}
