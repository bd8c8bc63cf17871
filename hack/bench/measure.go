package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// metrics are the figures of a benchmark by case and unit.
type metrics map[string]map[string]float64

// measure runs the row's benchmark.
func (r row) measure(ctx context.Context) (metrics, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^"+r.Benchmark+"$", fmt.Sprintf("-benchtime=%dx", r.N), "-timeout=15m", r.Package) // #nosec G204 -- from the list
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m := parse(string(out))
	if err != nil || len(m) == 0 {
		return nil, errors.Join(fmt.Errorf("no figures found in the output of %s in %s:\n%s", r.Benchmark, r.Package, tail(string(out))), err)
	}
	return m, nil
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// caseName takes a line's first word apart: Benchmark, case, processors.
var caseName = regexp.MustCompile(`^Benchmark[^/\s-]+(?:/(\S+?))?(?:-\d+)?$`)

// parse reads what go test prints of benchmarks: a name, how often it ran, and
// pairs of value and unit.
func parse(out string) metrics {
	m := metrics{}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 4 {
			continue
		}
		name := caseName.FindStringSubmatch(fields[0])
		if name == nil {
			continue
		}
		units := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				units[fields[i+1]] = v
			}
		}
		m[name[1]] = units
	}
	return m
}

// machine says what the figures were measured on.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if at := strings.Index(string(data), "model name"); at >= 0 {
			line, _, _ := strings.Cut(string(data[at:]), "\n")
			_, value, _ := strings.Cut(line, ":")
			model = strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
