package node_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// changesModes upgrades there and back while it watches that a pod is ready at
// each moment.
func changesModes(t *testing.T, b *bed, n *node.Node) {
	stop := b.watch(t)
	b.upgrade(t, "mode=kmm")
	if got := b.says(t, n, outcome.AlreadyLoaded); got.Verified != outcome.VerifiedKMM {
		t.Errorf("%+v", got)
	}
	processOf(t, n, "run").has(t, map[string]string{"CapEff": none, "CapBnd": none, "Uid": "65532 65532 65532 65532"})
	// With the parameters that it was loaded with: others would be reported.
	b.upgrade(t, slowly)
	b.says(t, n, outcome.AlreadyLoaded)
	events, worst := stop()
	if worst < 1 || events == 0 {
		t.Errorf("of %d moments there was one with %d pods ready", events, worst)
	}
	t.Logf("%d changes of pods seen, at least %d ready at each", events, worst)
}

// watch follows the agent's pods, one of which is ready now. The function that
// it returns ends it and says how many changes there were, and the fewest ready
// pods at any moment.
func (b *bed) watch(t *testing.T) func() (events, worst int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	api := b.cluster.Client.CoreV1().Pods(namespace)
	selector := metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release}
	list, err := api.List(ctx, selector)
	if err != nil {
		t.Fatal(err)
	}
	ready := map[types.UID]bool{}
	for _, pod := range list.Items {
		ready[pod.UID] = isReady(pod)
	}
	selector.ResourceVersion = list.ResourceVersion
	w, err := api.Watch(ctx, selector)
	if err != nil {
		t.Fatal(err)
	}
	events, worst, ended := 0, count(ready), make(chan struct{})
	go func() {
		defer close(ended)
		for e := range w.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			events++
			ready[pod.UID] = e.Type != "DELETED" && pod.DeletionTimestamp == nil && isReady(*pod)
			worst = min(worst, count(ready))
		}
	}()
	return func() (int, int) {
		w.Stop()
		cancel()
		<-ended
		return events, worst
	}
}

func count(ready map[types.UID]bool) int {
	n := 0
	for _, is := range ready {
		if is {
			n++
		}
	}
	return n
}

func isReady(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// waitsForKMM stands in for KMM's worker: the module comes by hand, and only
// then does helm --wait return.
func waitsForKMM(t *testing.T, b *bed, n *node.Node) {
	remove(t, n)
	done := background(func() error { return b.install(t.Context(), "upgrade", "mode=kmm") })
	catch(t, n, "wait", done).has(t, map[string]string{"CapEff": none, "CapBnd": none, "Uid": "65532 65532 65532 65532", "Seccomp": "2"})
	// The new pod is the one that waits.
	waits := func() bool {
		for _, pod := range b.pods(t) {
			s := pod.Status.InitContainerStatuses
			if len(s) == 1 && s[0].Name == "wait" && s[0].State.Running != nil {
				return true
			}
		}
		return false
	}
	poll(t, "the API to show the pod waiting", waits)
	// The agent has to have looked once: emulated, it takes its time to start.
	poll(t, "the agent to say that it waits", func() bool {
		log := n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/sh", "-c", "cat /var/log/pods/*/wait/*.log"}})
		return strings.Contains(log.Stdout, "waiting until the module is loaded")
	})
	select {
	case err := <-done:
		t.Fatalf("helm --wait has returned before the module was there: %v", err)
	default:
	}
	if n.Loaded(t, "pf_ring") {
		t.Fatal("the module is there though nothing has loaded it")
	}
	if errno := n.Do(t, step.Request{Op: step.Insmod, Path: handLoaded}).Data; errno != "" {
		t.Fatalf("loading by hand: %s", errno)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := b.says(t, n, outcome.Loaded); got.Verified != outcome.VerifiedKMM || got.Version != version {
		t.Errorf("%+v", got)
	}
}
