//go:build unix

package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// rounds is how often each program is measured; the median counts.
const rounds = 15

// bench holds the two programs, the chart and a folder to work in.
type bench struct {
	pfring, helm, chart, dir, home string
}

func prepare(b *testing.B) *bench {
	b.Helper()
	root, err := toolbin.Root()
	if err != nil {
		b.Fatal(err)
	}
	w := &bench{chart: filepath.Join(root, "charts", "kubeshark-pfring"), dir: b.TempDir(), home: b.TempDir()}
	if w.pfring, err = toolbin.Pfring(w.dir); err != nil {
		b.Fatal(err)
	}
	if w.helm, err = toolbin.Tool(toolbin.Helm); err != nil {
		b.Fatal(err)
	}
	return w
}

func (w *bench) write(b *testing.B, name, text string) string {
	b.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// floor builds the least program that does what pfring does with Helm's library.
func (w *bench) floor(b *testing.B) string {
	b.Helper()
	root, err := toolbin.Root()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(w.dir, "floor")
	must(b, exec.Command("go", "build", "-C", root, "-trimpath", "-ldflags", "-s -w", "-o", path, "./tests/bench/floor"))
	return path
}

// BenchmarkStart measures what every command pays: the start and end of the
// process. The minimum counts, since everything else is the machine.
func BenchmarkStart(b *testing.B) {
	w := prepare(b)
	floor := w.floor(b)
	ours, least := time.Hour, time.Hour
	for range 4 * rounds {
		for args, took := range map[string]*time.Duration{w.pfring + " version": &ours, floor: &least} {
			s, err := w.measure(strings.Fields(args))
			if err != nil {
				b.Fatal(err)
			}
			*took = min(*took, s.wall)
		}
	}
	b.ReportMetric(milliseconds(ours), "version-ms")
	b.ReportMetric(milliseconds(least), "floor-ms")
	b.ReportMetric(ratio(ours, least), "floor-ratio")
}

// BenchmarkRenderAgainstHelm compares one rendering, process start and end
// included.
func BenchmarkRenderAgainstHelm(b *testing.B) {
	w := prepare(b)
	values := w.write(b, "values.yaml", valuesFile(0))
	runs, err := w.alternate(rounds,
		[]string{w.helm, "template", "pfring", w.chart, "-f", values, "--skip-tests"},
		[]string{w.pfring, "render", values},
		[]string{w.floor(b), w.chart, values})
	if err != nil {
		b.Fatal(err)
	}
	for i, who := range []string{"helm", "pfring", "floor"} {
		b.ReportMetric(milliseconds(runs[i].wall), who+"-ms")
		b.ReportMetric(runs[i].mib(), who+"-MiB")
	}
	b.ReportMetric(ratio(runs[1].wall, runs[0].wall), "time-ratio")
	b.ReportMetric(runs[1].mib()/runs[0].mib(), "memory-ratio")
	b.ReportMetric(ratio(runs[1].wall, runs[2].wall), "floor-time-ratio")
	b.ReportMetric(runs[1].mib()/runs[2].mib(), "floor-memory-ratio")
}

// BenchmarkValidateAgainstHelm compares one call for 1,000 files with one helm
// lint for each, of which some are measured and scaled. It also validates one
// file of 4 MiB that has nothing but unknown keys.
func BenchmarkValidateAgainstHelm(b *testing.B) {
	const files, lints = 1000, 20
	w := prepare(b)
	args := []string{w.pfring, "validate", "--each"}
	for i := range files {
		args = append(args, w.write(b, fmt.Sprintf("values-%04d.yaml", i), valuesFile(i)))
	}
	ours, err := w.alternate(3, args)
	if err != nil {
		b.Fatal(err)
	}
	var lint time.Duration
	for i := range lints {
		one, err := w.measure([]string{w.helm, "lint", w.chart, "-f", args[3+i]})
		if err != nil {
			b.Fatal(err)
		}
		lint += one.wall
	}
	scaled := time.Duration(float64(lint) / lints * files)
	b.ReportMetric(milliseconds(ours[0].wall), "pfring-ms")
	b.ReportMetric(milliseconds(scaled), "helm-ms")
	b.ReportMetric(ratio(ours[0].wall, scaled), "time-ratio")

	var keys strings.Builder
	keys.WriteString("tap:\n  kernelModule:\n")
	for i := range 100_000 {
		fmt.Fprintf(&keys, "    unknown%06d: %020d\n", i, i)
	}
	unknown, err := w.measure([]string{w.pfring, "validate", w.write(b, "unknown.yaml", keys.String())}, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(unknown.wall.Seconds(), "unknown-keys-s")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
