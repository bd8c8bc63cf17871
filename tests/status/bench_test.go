package status_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// manyNodes is what the largest clusters have.
const manyNodes = 5000

// BenchmarkWaitReacts measures from the last node's pod being written to the
// end of the wait, over many nodes. It also reports a plain status of them.
func BenchmarkWaitReacts(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 15*time.Minute)
	defer cancel()
	namespace := shared.Namespace(b, "")
	names, err := shared.AddNodes(ctx, manyNodes, kube.Node{Prefix: namespace, Labels: map[string]string{setLabel: namespace}})
	if err != nil {
		b.Fatal(err)
	}
	last := names[len(names)-1]
	hold := make(chan struct{})
	shared.answers.Store(namespace, kube.Handler(func(_ *corev1.Pod, node *corev1.Node) kube.Result {
		select {
		case <-hold:
		default:
			if node.Name == last {
				return kube.Held()
			}
		}
		return kube.Loaded()
	}))
	(&bed{t: b, ctx: ctx, namespace: namespace}).install()
	counter := shared.Count(b)
	config, err := clientcmd.BuildConfigFromFlags("", counter.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS = -1
	client, err := rollout.NewClient(config)
	if err != nil {
		b.Fatal(err)
	}
	release, err := client.Find(ctx, namespace, "")
	if err != nil {
		b.Fatal(err)
	}
	almost := make(chan bool, 1)
	done, seen := make(chan time.Time, 1), make(chan time.Time, 1)
	go func() {
		if _, err := client.Wait(ctx, release, func(s rollout.Summary) {
			switch s.OK {
			case manyNodes - 1:
				almost <- true
			case manyNodes:
				seen <- time.Now()
			}
		}); err != nil {
			b.Error(err)
		}
		done <- time.Now()
	}()
	select {
	case <-almost:
	case <-ctx.Done():
		b.Fatal("the pods did not come up")
	}
	released := time.Now()
	close(hold)
	end := <-done
	requests, watches, _ := counter.Take()
	relists := counter.Lists("pods") - 1
	for b.Loop() {
		if _, err := client.Status(ctx, release); err != nil {
			b.Fatal(err)
		}
	}
	// What was reported before the loop would be gone.
	b.ReportMetric(float64(watches), "watches")
	b.ReportMetric(float64(relists), "relists")
	b.ReportMetric(float64(requests), "wait-requests")
	b.ReportMetric(float64((<-seen).Sub(released).Milliseconds()), "ms/seen")
	// The simulated kubelet's pause of up to 100 ms and its write are in here, and the last reading of all nodes.
	b.ReportMetric(float64(end.Sub(released).Milliseconds()), "ms/reaction")
}
