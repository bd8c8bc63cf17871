package compatibility_test

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// cost is what one process took.
type cost struct {
	wall time.Duration
	// peak is the resident memory in MiB.
	peak float64
}

// measure runs a program to its end, its output thrown away.
func measure(b *testing.B, codes []int, program string, args ...string) cost {
	b.Helper()
	cmd := exec.Command(program, args...)
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || !slices.Contains(codes, cmd.ProcessState.ExitCode()) {
		b.Fatalf("%s: %v", program, err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("this system does not tell what a process used")
	}
	return cost{wall, float64(usage.Maxrss) / 1024}
}

func median(list []cost) cost {
	walls, peaks := make([]time.Duration, len(list)), make([]float64, len(list))
	for i, c := range list {
		walls[i], peaks[i] = c.wall, c.peak
	}
	slices.Sort(walls)
	slices.Sort(peaks)
	return cost{walls[len(walls)/2], peaks[len(peaks)/2]}
}

// BenchmarkAgainstKubectl reads the same nodes with 200 kernels by pfring
// compatibility and by kubectl get nodes -o json, in turn, as whole processes.
// It needs kubectl in PATH: https://kubernetes.io/docs/tasks/tools/.
func BenchmarkAgainstKubectl(b *testing.B) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		b.Skip("no kubectl in PATH; see https://kubernetes.io/docs/tasks/tools/")
	}
	s := serve(b, "6.1.0-0-amd64")
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			addNodes(b, n, fmt.Sprintf("bench-%d", n), func(i int) string { return fmt.Sprintf("6.1.0-%d-amd64", i%200) })
			ask := append([]string{"compatibility", "--kubeconfig", shared.Kubeconfig, "-o", "json"}, s.flags()...)
			list := []string{"get", "nodes", "-o", "json", "--kubeconfig", shared.Kubeconfig}
			var ours, theirs []cost
			for b.Loop() {
				ours = append(ours, measure(b, []int{0, 1}, pfring, ask...))
				theirs = append(theirs, measure(b, []int{0}, kubectl, list...))
			}
			us, them := median(ours), median(theirs)
			b.ReportMetric(us.wall.Seconds(), "pfring-s")
			b.ReportMetric(them.wall.Seconds(), "kubectl-s")
			b.ReportMetric(us.peak, "pfring-MiB")
			b.ReportMetric(them.peak, "kubectl-MiB")
			b.ReportMetric(float64(them.wall)/float64(us.wall), "times-faster")
			b.ReportMetric(them.peak/us.peak, "times-smaller")
		})
	}
}
