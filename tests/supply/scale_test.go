package supply_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// BenchmarkScale has a controller, a process of its own, supply 5,000 nodes with
// 40 kernels, of which 100 a minute come and go afterwards. PFRING_SCALE_NODES
// and PFRING_SCALE_CHURN change the numbers. It reports the process' memory and
// what it asked of the API server.
func BenchmarkScale(b *testing.B) {
	nodes, churn, kernels := number("PFRING_SCALE_NODES", 5000), number("PFRING_SCALE_CHURN", 100), kernelsOf(40)
	for b.Loop() {
		scale(b, nodes, churn, kernels)
	}
}

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return usual
}

func scale(b *testing.B, nodes, churn int, kernels []string) {
	b.Helper()
	bed := &bed{namespace: cluster.Namespace(b, ""), names: supply.NamesOf(release), logs: kube.ServeLogs(b), serve: freePort(b), config: "supply: {parallel: 8}", builds: map[string]int{}, build: good}
	pods.set(bed.namespace, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		if pod.Labels["app.kubernetes.io/component"] == "agent" {
			return kube.Result{Hold: true} // agents are not what is measured
		}
		return bed.handle(pod, node)
	})
	b.Cleanup(func() { pods.set(bed.namespace, nil) })
	add := func(prefix string, n int) []string {
		names, err := cluster.AddNodes(b.Context(), n, kube.Node{
			Prefix: prefix + "-" + bed.namespace, Kernel: func(i int) string { return kernels[i%len(kernels)] }, OSImage: debian, Logs: bed.logs, Labels: map[string]string{"bed": bed.namespace},
		})
		if err != nil {
			b.Fatal(err)
		}
		return names
	}
	all := add("n", nodes)
	b.Cleanup(func() { _ = cluster.RemoveNodes(context.Background(), all...) })
	if _, err := cluster.Client.AppsV1().DaemonSets(bed.namespace).Create(b.Context(), daemonSet(bed.namespace), metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	counter := cluster.Count(b)
	pid := bed.spawn(b, counter.Kubeconfig)
	began := time.Now()
	bed.status(b, "all kernels to be built", allOf(supply.Built, len(kernels)))
	b.ReportMetric(time.Since(began).Seconds(), "s-to-supplied")
	report(b, counter, "start")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		few := add(fmt.Sprintf("c%d", time.Now().UnixNano()), max(1, churn/6))
		time.Sleep(8 * time.Second)
		if err := cluster.RemoveNodes(b.Context(), few...); err != nil {
			b.Fatal(err)
		}
	}
	report(b, counter, "churn")
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
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

// report says what has passed since the last time: writes, lists and watches.
func report(b *testing.B, counter *kube.Counter, phase string) {
	b.Helper()
	_, watches, by := counter.Take()
	writes, lists := 0, 0
	for request, n := range by {
		switch {
		case !strings.HasPrefix(request, "GET ") && !strings.HasSuffix(request, "/leases/"+release+"-pfring-supply"):
			writes += n
		case strings.HasSuffix(request, "/nodes") || strings.HasSuffix(request, "/pods"):
			lists += n
		}
	}
	b.ReportMetric(float64(writes), "writes-"+phase)
	b.ReportMetric(float64(watches), "watches-"+phase)
	b.ReportMetric(float64(lists), "list-or-watch-of-nodes-and-pods-"+phase)
}
