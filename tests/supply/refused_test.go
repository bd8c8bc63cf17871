package supply_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// Of two nodes with one kernel release, one runs another build of it, and its kernel
// refuses the module. The controller says so, and does not start that agent again
// until there is another module for it.
func TestANodeWithAnotherBuildOfItsKernelReleaseIsReportedAndLeftAlone(t *testing.T) {
	t.Parallel()
	const kernel = "6.1.0-18-amd64"
	b, c := newBed(t, "", kernel, kernel), &clock{}
	b.now = c.now
	b.config = "supply: {pfringVersion: 8.8.0}"
	b.becomes(versioned("8.8.0"))
	other := nodeName(b, "n", 1)
	pods.set(b.namespace, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		result := b.handle(pod, node)
		if o := &result.Outcome; node.Name == other && o.Backend == outcome.PFRing && o.Module.Version == "8.8.0" {
			o.Backend, o.Reason = outcome.Libpcap, outcome.OtherBuild
		}
		return result
	})
	account := b.account(t)
	stop := b.start(t, account)
	said := func(p supply.Problem) bool {
		return p.Reason == supply.OtherBuild && strings.Contains(p.Message, "node "+other+" refuses the module for kernel "+kernel) &&
			strings.Contains(p.Message, "uname -v") && p.Remedy != ""
	}
	b.status(t, "the refusal to be reported", func(s *supply.Status) bool { return allOf(supply.Built, 1)(s) && slices.ContainsFunc(s.Problems, said) })
	b.event(t, "SupplyProblem", other)
	agent := b.agentOn(t, other)

	c.mu.Lock()
	c.ahead = 24 * time.Hour
	c.mu.Unlock()
	b.addNodes(t, "late", "6.1.0-19-amd64")
	b.status(t, "the controller to have looked again", func(s *supply.Status) bool { return count(s, supply.Built) == 2 })
	b.loaded(t, 2)
	if now := b.agentOn(t, other); now.UID != agent.UID {
		t.Error("the agent was started again, and would be given the same module")
	}

	stop()
	b.config = "supply: {pfringVersion: 8.9.0}"
	b.becomes(versioned("8.9.0"))
	b.start(t, account)
	b.status(t, "the new version to be built, and nothing to be refused", func(s *supply.Status) bool {
		return fine(2)(s) && s.Find(kernel, "amd64").Version == "8.9.0" && !slices.ContainsFunc(s.Problems, said)
	})
	b.loaded(t, 3)
}

// agentOn is the agent's pod on a node.
func (b *bed) agentOn(t *testing.T, node string) *corev1.Pod {
	t.Helper()
	list, err := cluster.Client.CoreV1().Pods(b.namespace).List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/component=agent", FieldSelector: "spec.nodeName=" + node,
	})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d agents on node %s: %v", len(list.Items), node, err)
	}
	return &list.Items[0]
}

// event waits for an event of the DaemonSet with these words.
func (b *bed) event(t *testing.T, reason, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the event "+reason, func(ctx context.Context) (bool, error) {
		events, err := cluster.Client.EventsV1().Events(b.namespace).List(ctx, metav1.ListOptions{})
		return err == nil && slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Reason == reason && e.Regarding.Kind == "DaemonSet" && strings.Contains(e.Note, words)
		}), err
	})
	if err != nil {
		t.Fatal(err)
	}
}
