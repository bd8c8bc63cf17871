//go:build unix

package supply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/child"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// BenchmarkScale has the controller's program supply 5,000 nodes with 40 kernels.
// Then nodes only report that they live, as kubelets do every five minutes; then
// 100 a minute come and go. It reports the process' memory and CPU, and what it
// asked of the API server. PFRING_SCALE_NODES and PFRING_SCALE_CHURN change the
// numbers, PFRING_SCALE_REST how long the second phase lasts, and
// PFRING_SCALE_OLD=1 has the API server answer as before Kubernetes 1.32.
func BenchmarkScale(b *testing.B) {
	for b.Loop() {
		s := newScale(b, number("PFRING_SCALE_NODES", 5000), kernelsOf(40))
		s.supply(b)
		s.rest(b, time.Duration(number("PFRING_SCALE_REST", 60))*time.Second)
		s.churn(b, number("PFRING_SCALE_CHURN", 100))
		s.memory(b)
	}
}

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return usual
}

// scale is a large cluster and a controller's program that supplies it.
type scale struct {
	*bed
	kernels []string
	nodes   []string
	counter *kube.Counter
	pid     int
	// lists of nodes and pods are those until the last report.
	lists int
}

func newScale(b *testing.B, nodes int, kernels []string) *scale {
	b.Helper()
	s := &scale{kernels: kernels, bed: &bed{
		namespace: cluster.Namespace(b, ""), names: supply.NamesOf(release), logs: kube.ServeLogs(b), serve: freePort(b),
		config: "supply: {parallel: 8}", builds: map[string]int{}, build: good, patience: 10 * time.Minute,
	}}
	pods.set(s.namespace, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		if pod.Labels["app.kubernetes.io/component"] == "agent" {
			return kube.Loaded() // agents are not what is measured
		}
		return s.handle(pod, node)
	})
	b.Cleanup(func() { pods.set(s.namespace, nil) })
	s.nodes = s.add(b, "n", nodes)
	b.Cleanup(func() { _ = cluster.RemoveNodes(context.Background(), s.nodes...) })
	if _, err := cluster.Client.AppsV1().DaemonSets(s.namespace).Create(b.Context(), daemonSet(s.namespace), metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	s.counter = cluster.Count(b)
	s.counter.Old = os.Getenv("PFRING_SCALE_OLD") != ""
	return s
}

func (s *scale) add(b *testing.B, prefix string, n int) []string {
	b.Helper()
	names, err := cluster.AddNodes(b.Context(), n, kube.Node{
		Prefix: prefix + "-" + s.namespace, Kernel: func(i int) string { return s.kernels[i%len(s.kernels)] }, OSImage: debian, Logs: s.logs,
		Labels: map[string]string{"bed": s.namespace}, Images: 40,
	})
	if err != nil {
		b.Fatal(err)
	}
	return names
}

// supply starts the controller and waits until all kernels are built.
func (s *scale) supply(b *testing.B) {
	b.Helper()
	program, err := toolbin.Controller(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	config := filepath.Join(b.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(s.config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, "run", "--config="+config, "--release="+release, "--namespace="+s.namespace, "--daemonset="+release+"-agent", // #nosec G204 -- built here
		"--kubeconfig="+s.counter.Kubeconfig, "--serve-address="+s.serve, "--metrics-address=127.0.0.1:0")
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	ended, err := child.Start(cmd)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	s.pid = cmd.Process.Pid
	began := time.Now()
	s.status(b, "all kernels to be built", allOf(supply.Built, len(s.kernels)))
	b.ReportMetric(time.Since(began).Seconds(), "s-to-supplied")
	s.ready(b)
	writes := s.report(b, "start")
	b.ReportMetric(float64(writes)/float64(len(s.kernels)), "writes/kernel")
}

// ready waits until the agent of each node is.
func (s *scale) ready(b *testing.B) {
	b.Helper()
	err := kube.Poll(b.Context(), "all agents to be ready", func(ctx context.Context) (bool, error) {
		ds, err := cluster.Client.AppsV1().DaemonSets(s.namespace).Get(ctx, release+"-agent", metav1.GetOptions{})
		return err == nil && int(ds.Status.NumberReady) >= len(s.nodes), err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// rest has nodes report that they live, each every five minutes.
func (s *scale) rest(b *testing.B, length time.Duration) {
	b.Helper()
	time.Sleep(5 * time.Second) // what building has left to do
	s.counter.Take()
	before, began := s.cpu(b), time.Now()
	pause := 5 * time.Minute / time.Duration(len(s.nodes))
	for i := 0; time.Since(began) < length; i++ {
		at := began.Add(time.Duration(i+1) * pause)
		patch := fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","lastHeartbeatTime":%q}]}}`, time.Now().UTC().Format(time.RFC3339))
		_, err := cluster.Client.CoreV1().Nodes().Patch(b.Context(), s.nodes[i%len(s.nodes)], "application/strategic-merge-patch+json", patch, metav1.PatchOptions{}, "status")
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Until(at))
	}
	b.ReportMetric(100*(s.cpu(b)-before).Seconds()/time.Since(began).Seconds(), "%CPU-rest")
	s.report(b, "rest")
}

// churn has nodes come and go for a minute.
func (s *scale) churn(b *testing.B, perMinute int) {
	b.Helper()
	before, began := s.cpu(b), time.Now()
	for time.Since(began) < time.Minute {
		few := s.add(b, fmt.Sprintf("c%d", time.Now().UnixNano()), max(1, perMinute/6))
		time.Sleep(8 * time.Second)
		if err := cluster.RemoveNodes(b.Context(), few...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*(s.cpu(b)-before).Seconds()/time.Since(began).Seconds(), "%CPU-churn")
	s.report(b, "churn")
}

// cpu is what the controller has used.
func (s *scale) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, userErr := strconv.Atoi(fields[11])
	system, systemErr := strconv.Atoi(fields[12])
	if err := errors.Join(userErr, systemErr); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks are 100 a second everywhere
}

// memory reports what the kernel counts: Anonymous is what a container's limit
// counts beside file pages that can be dropped.
func (s *scale) memory(b *testing.B) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		for key, unit := range map[string]string{"VmHWM:": "peak-RSS-MiB", "VmRSS:": "RSS-MiB", "RssAnon:": "anonymous-MiB"} {
			if len(fields) > 1 && fields[0] == key {
				kib, _ := strconv.ParseFloat(fields[1], 64)
				b.ReportMetric(kib/1024, unit)
			}
		}
	}
}

// report says what has passed since the last time: writes, which it returns,
// watches begun and lists.
func (s *scale) report(b *testing.B, phase string) (writes int) {
	b.Helper()
	_, watches, by := s.counter.Take()
	gets := 0
	for request, n := range by {
		switch {
		case strings.HasSuffix(request, "/leases/"+release+"-pfring-supply"):
		case !strings.HasPrefix(request, "GET "):
			writes += n
		default:
			gets += n
		}
	}
	b.ReportMetric(float64(writes), "writes-"+phase)
	b.ReportMetric(float64(watches), "watches-"+phase)
	b.ReportMetric(float64(gets-watches), "reads-"+phase)
	lists := s.counter.Lists("nodes") + s.counter.Lists("pods")
	b.ReportMetric(float64(lists-s.lists), "lists-"+phase)
	s.lists = lists
	return writes
}
