package status_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestEveryNodeLoaded(t *testing.T) {
	b := newBed(t, 3, "")
	b.say(func(int) kube.Result { return kube.Loaded() })
	b.install()
	r := b.status(0, "--wait")
	if !r.Complete || r.Summary.OK != 3 || r.Summary.Wanted != 3 || r.Mode != "auto" {
		t.Errorf("%+v", r)
	}
	for _, n := range r.Nodes {
		if n.Backend != outcome.PFRing || n.Version != "8.9.0" || n.Since.IsZero() || n.Kernel == "" || n.Pod == "" {
			t.Errorf("%+v", n)
		}
	}
	table := b.run("status")
	if table.code != 0 || !strings.HasPrefix(table.out, "Node ") || !strings.HasSuffix(table.out, "\n3 of 3 nodes have PF_RING\n") || table.err != "" {
		t.Errorf("%+v", table)
	}
}

func TestEachNodeSaysWhyItHasNot(t *testing.T) {
	b := newBed(t, 4, "")
	b.say(func(node int) kube.Result {
		return []kube.Result{kube.Loaded(), kube.Fallback(outcome.NoModuleForKernel), kube.Held(), kube.Failed(outcome.LockedDown)}[node]
	})
	b.install()
	// The fourth node fails again and again, so the wait ends by its deadline.
	b.waitFor("three nodes to be judged", func(r *rollout.Report) bool {
		return r.Summary.OK == 1 && r.Summary.Fallback == 1 && r.Summary.Failed == 1 && r.Summary.Pending == 1
	})
	r := b.status(1, "--wait", "--timeout", "1s")
	want := []rollout.Node{
		{State: rollout.OK, Backend: outcome.PFRing, Reason: outcome.Loaded},
		{State: rollout.Fallback, Backend: outcome.Libpcap, Reason: outcome.NoModuleForKernel},
		{State: rollout.Pending},
		{State: rollout.Failed, Backend: outcome.Libpcap, Reason: outcome.LockedDown},
	}
	for i, n := range r.Nodes {
		if n.State != want[i].State || n.Backend != want[i].Backend || n.Reason != want[i].Reason || n.Message == "" {
			t.Errorf("node %d: %+v", i, n)
		}
		if (n.Remedy != "") != (n.State == rollout.Fallback || n.State == rollout.Failed) {
			t.Errorf("node %d: remedy %q", i, n.Remedy)
		}
	}
	if r.Summary.Reasons[outcome.LockedDown] != 1 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "the time to wait, 1s, is over") {
		t.Errorf("%+v", r)
	}
}

func TestAModuleThatVanishedIsNoticed(t *testing.T) {
	b := newBed(t, 1, "")
	b.say(func(int) kube.Result { return kube.Loaded() })
	b.install()
	b.status(0, "--wait")
	// The API counts in seconds; the change must not fall into the first one.
	pod := b.pods()[b.nodes[0]]
	p, err := shared.Client.CoreV1().Pods(b.namespace).Get(b.ctx, pod, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(p.Status.StartTime.Add(1100 * time.Millisecond)))
	b.say(func(int) kube.Result { gone := kube.Loaded(); gone.Unready = true; return gone })
	// The simulated kubelet asks again only about pods that are not ready.
	p.Annotations = map[string]string{"touched": "yes"}
	if _, err := shared.Client.CoreV1().Pods(b.namespace).Update(b.ctx, p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	r := b.waitFor("the node to have lost its module", func(r *rollout.Report) bool { return r.Summary.Fallback == 1 })
	if r.Summary.Reasons[outcome.ModuleGone] != 1 {
		t.Errorf("%+v", r.Summary)
	}
}

func TestNoNodeIsNoSuccess(t *testing.T) {
	b := newBed(t, 0, "")
	b.install()
	r := b.status(1)
	if r.Complete || !strings.HasPrefix(r.Verdict, "No node is selected") {
		t.Errorf("%+v", r)
	}
}

func TestNothingInstalledIsNoAnswer(t *testing.T) {
	b := newBed(t, 0, "")
	r := b.run("status", "--release-name", "none")
	if r.code != 2 || r.out != "" || !strings.Contains(r.err, "no release none in namespace "+b.namespace) {
		t.Errorf("%+v", r)
	}
}

func TestATaintThatIsNotToleratedIsSaid(t *testing.T) {
	b := newBed(t, 1, "")
	b.addNodes(1, kube.Node{Prefix: "tainted", Taints: []corev1.Taint{{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}}})
	b.say(func(int) kube.Result { return kube.Loaded() })
	b.install("tap.ignoreTainted=true")
	r := b.status(0, "--wait")
	for _, n := range r.Nodes {
		if strings.Contains(n.Node, "tainted") && (n.Wanted || n.Message != "its taint gpu=yes:NoSchedule is not tolerated") {
			t.Errorf("%+v", n)
		}
	}
	if r.Summary.Wanted != 1 {
		t.Errorf("%+v", r.Summary)
	}
}

func TestPodsThatMayNotBeMadeAreExplained(t *testing.T) {
	quota := newBed(t, 1, "")
	_, err := shared.Client.CoreV1().ResourceQuotas(quota.namespace).Create(quota.ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for words, b := range map[string]*bed{"exceeded quota": quota, "violates PodSecurity": newBed(t, 1, "restricted")} {
		b.install()
		r := b.waitFor("the refusal to be told", func(r *rollout.Report) bool {
			for _, n := range r.Nodes {
				if n.Wanted && strings.Contains(n.Message, words) {
					return true
				}
			}
			return false
		})
		if r.Complete || r.Summary.Pending != 1 {
			t.Errorf("%+v", r.Summary)
		}
	}
}

// counting counts the watches that pass.
type counting struct {
	next    http.RoundTripper
	watches atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") != "" {
		c.watches.Add(1)
	}
	return c.next.RoundTrip(r)
}

func TestWaitUsesOneWatchAndEndsWithTheLastNode(t *testing.T) {
	b := newBed(t, 5, "")
	b.say(func(int) kube.Result { return kube.Held() })
	b.install()
	count := &counting{}
	config := rest.CopyConfig(shared.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { count.next = next; return count })
	client, err := rollout.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	release, err := client.Find(b.ctx, b.namespace, "")
	if err != nil {
		t.Fatal(err)
	}
	var seen []rollout.Summary
	done := make(chan *rollout.Report)
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	started := make(chan bool, 100)
	go func() {
		report, err := client.Wait(ctx, release, func(s rollout.Summary) { seen = append(seen, s); started <- true })
		if err != nil {
			t.Error(err)
		}
		done <- report
	}()
	<-started
	for last := range b.nodes {
		b.say(func(node int) kube.Result {
			if node <= last {
				return kube.Loaded()
			}
			return kube.Held()
		})
		b.waitFor("a node more", func(r *rollout.Report) bool { return r.Summary.OK > last })
	}
	report := <-done
	if ctx.Err() != nil {
		t.Fatal("it did not end by itself")
	}
	if !report.Complete || count.watches.Load() != 1 {
		t.Errorf("%d watches; %+v", count.watches.Load(), report.Summary)
	}
	if len(seen) < 2 || seen[len(seen)-1].OK != 5 {
		t.Errorf("progress: %+v", seen)
	}
}
