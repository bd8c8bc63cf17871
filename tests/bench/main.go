//go:build unix

// Command bench runs pfring and helm side by side as whole processes, and prints
// wall time, peak memory and their ratios. `make bench` starts it. Both programs
// are built here: pfring from this checkout, helm from the version pinned in
// tests/tools.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func main() {
	rounds := flag.Int("rounds", 15, "measurements of each command; the median is shown")
	files := flag.Int("files", 1000, "values files to validate in one call")
	lints := flag.Int("lints", 20, "helm lint calls to measure; their mean is scaled to the number of files")
	flag.Parse()
	if err := run(*rounds, *files, *lints); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(2)
	}
}

func run(rounds, files, lints int) error {
	dir, err := os.MkdirTemp("", "pfring-bench-")
	if err != nil {
		return fmt.Errorf("making a work folder: %w", err)
	}
	// Left behind it would do no harm.
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := prepare(dir)
	if err != nil {
		return err
	}
	if err := b.render(rounds); err != nil {
		return err
	}
	return b.validate(files, lints)
}

// bench holds the two programs, the chart and a folder to work in.
type bench struct {
	pfring, helm, chart, dir, home string
}

func prepare(dir string) (*bench, error) {
	root, err := toolbin.Root()
	if err != nil {
		return nil, err
	}
	b := &bench{chart: filepath.Join(root, "charts", "kubeshark-pfring"), dir: dir, home: filepath.Join(dir, "home")}
	if err := os.Mkdir(b.home, 0o755); err != nil {
		return nil, fmt.Errorf("making a home folder: %w", err)
	}
	if b.pfring, err = toolbin.Pfring(dir); err != nil {
		return nil, err
	}
	b.helm, err = toolbin.Tool(toolbin.Helm)
	return b, err
}

// render compares one rendering, process start and end included.
func (b *bench) render(rounds int) error {
	values := filepath.Join(b.dir, "values.yaml")
	if err := os.WriteFile(values, []byte(valuesFile(0)), 0o600); err != nil {
		return fmt.Errorf("writing values: %w", err)
	}
	fmt.Printf("render: the same chart and values, whole process, median of %d\n", rounds)
	runs, err := b.alternate(rounds,
		[]string{b.helm, "template", "pfring", b.chart, "-f", values, "--skip-tests"},
		[]string{b.pfring, "render", values},
		[]string{b.pfring, "render", values, "--chart", b.chart},
	)
	if err != nil {
		return err
	}
	for i, name := range []string{"helm template", "pfring render", "pfring render --chart DIR"} {
		fmt.Printf("  %-28s %9s  %6.1f MiB   time × %.2f   memory × %.2f\n", name, round(runs[i].wall), runs[i].mib(),
			ratio(runs[i].wall, runs[0].wall), runs[i].mib()/runs[0].mib())
	}
	return nil
}

// validate compares one call for many files with one helm lint for each.
func (b *bench) validate(files, lints int) error {
	args := []string{b.pfring, "validate", "--each"}
	for i := range files {
		name := filepath.Join(b.dir, fmt.Sprintf("values-%04d.yaml", i))
		if err := os.WriteFile(name, []byte(valuesFile(i)), 0o600); err != nil {
			return fmt.Errorf("writing values: %w", err)
		}
		args = append(args, name)
	}
	ours, err := b.alternate(3, args)
	if err != nil {
		return err
	}
	var lint sample
	for i := range lints {
		one, err := b.measure([]string{b.helm, "lint", b.chart, "-f", args[3+i%files]})
		if err != nil {
			return err
		}
		lint.wall += one.wall
		lint.maxRSS = max(lint.maxRSS, one.maxRSS)
	}
	scaled := time.Duration(float64(lint.wall) / float64(lints) * float64(files))
	fmt.Printf("validate: %d different files; helm lint measured %d times and scaled to %d\n", files, lints, files)
	fmt.Printf("  %-28s %9s  %6.1f MiB\n", fmt.Sprintf("helm lint × %d (scaled)", files), round(scaled), lint.mib())
	fmt.Printf("  %-28s %9s  %6.1f MiB   %.0f times faster\n", "pfring validate --each", round(ours[0].wall), ours[0].mib(), 1/ratio(ours[0].wall, scaled))
	return nil
}
