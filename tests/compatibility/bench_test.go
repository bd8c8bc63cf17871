package compatibility_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
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

// addLargeNodes makes the nodes from to n, of 200 kernels, that weigh about 10 KB
// each, as real ones do, most of it the list of images. They stay: the benchmark is the last
// that runs on this API server.
func addLargeNodes(b *testing.B, from, n int) {
	b.Helper()
	errs := make(chan error, n)
	slots := make(chan struct{}, 32)
	for i := from; i < n; i++ {
		node := &corev1.Node{}
		node.Name = fmt.Sprintf("large-%d", i)
		node.Status.NodeInfo = corev1.NodeSystemInfo{
			KernelVersion: fmt.Sprintf("6.1.0-%d-amd64", i%200), Architecture: "amd64", OperatingSystem: "linux", OSImage: "Debian GNU/Linux 12 (bookworm)",
		}
		for j := range 50 {
			repository := fmt.Sprintf("registry.example.com/some-team/service-%d", j)
			node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
				Names: []string{fmt.Sprintf("%s@sha256:%064x", repository, i*j), repository + ":v1.2.3"}, SizeBytes: 123456789,
			})
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			_, err := shared.Client.CoreV1().Nodes().Create(b.Context(), node, metav1.CreateOptions{})
			errs <- err
		}()
	}
	for range n - from {
		if err := <-errs; err != nil && !apierrors.IsAlreadyExists(err) {
			b.Fatal(err)
		}
	}
}

// size is a number of nodes, and how often each program is measured with it; the
// median counts.
type size struct{ nodes, rounds int }

// BenchmarkAgainstKubectl reads the same nodes with 200 kernels by pfring
// compatibility and by kubectl get nodes -o json, in turn, as whole processes
// on the same API server. The sizes tell whether the cost is linear in the nodes.
func BenchmarkAgainstKubectl(b *testing.B) {
	kubectl, err := toolbin.Kubectl()
	if err != nil {
		b.Fatal(err)
	}
	have := 0
	for _, size := range []size{{500, 3}, {5000, 3}, {15000, 1}} {
		n := size.nodes
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			s := serve(b, "6.1.0-0-amd64")
			addLargeNodes(b, have, n)
			have = n
			ask := append([]string{"compatibility", "--kubeconfig", shared.Kubeconfig, "-o", "json"}, s.flags()...)
			list := []string{"get", "nodes", "-o", "json", "--kubeconfig", shared.Kubeconfig}
			var ours, theirs []cost
			s.requests.Store(0)
			for range size.rounds {
				ours = append(ours, measure(b, []int{0, 1}, pfring, ask...))
				theirs = append(theirs, measure(b, []int{0}, kubectl, list...))
			}
			us, them := median(ours), median(theirs)
			b.ReportMetric(us.wall.Seconds(), "pfring-s")
			b.ReportMetric(them.wall.Seconds(), "kubectl-s")
			b.ReportMetric(us.peak, "pfring-MiB")
			b.ReportMetric(them.peak, "kubectl-MiB")
			b.ReportMetric(float64(us.wall)/float64(them.wall), "time-ratio")
			b.ReportMetric(us.peak/them.peak, "memory-ratio")
			b.ReportMetric(float64(us.wall.Microseconds())/float64(n), "µs/node")
			b.ReportMetric(float64(s.requests.Load())/float64(len(ours)), "source-requests")
			counted(b, s, n)
		})
	}
}

// counted reports how many requests the API server gets from compatibility and
// from prereq check, and what the latter takes.
func counted(b *testing.B, s *source, nodes int) {
	b.Helper()
	counter := shared.Count(b)
	through := append([]string{"--kubeconfig", counter.Kubeconfig, "-o", "json"}, s.flags()...)
	measure(b, []int{0, 1}, pfring, append([]string{"compatibility"}, through...)...)
	all, _, _ := counter.Take()
	b.ReportMetric(float64(all), "compatibility-requests")
	// The images of all kernels are looked up in a registry that answers at once and has none.
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer images.Close()
	mapping := fmt.Sprintf(`tap.kernelModule.kernelMappings=[{"regexp":"^.+$","containerImage":"%s/m:${KERNEL_FULL_VERSION}"}]`,
		strings.TrimPrefix(images.URL, "http://"))
	took := measure(b, []int{0, 1}, pfring, append([]string{"prereq", "check", "--mode", "both", "--set-json", mapping}, through...)...)
	all, _, by := counter.Take()
	b.ReportMetric(float64(all), "prereq-requests")
	b.ReportMetric(took.wall.Seconds(), "prereq-s")
	b.ReportMetric(took.peak, "prereq-MiB")
	b.Logf("%d nodes; prereq check --mode both asked for %v", nodes, by)
}
