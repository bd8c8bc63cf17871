package install_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// setLabel is the node label by which each test has nodes of its own.
const setLabel = "pfring.test/set"

// answers tells for each namespace what its pods do.
type answers struct {
	sync.Map // namespace → kube.Handler
}

func (a *answers) of(pod *corev1.Pod, node *corev1.Node) kube.Result {
	if handler, ok := a.Load(pod.Namespace); ok {
		return handler.(kube.Handler)(pod, node)
	}
	return kube.Loaded()
}

// bed is where one test installs: a namespace and nodes.
type bed struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	set       string
	nodes     []string
}

// newBed makes the namespace and n nodes whose pods load well until say says otherwise.
func newBed(t *testing.T, n int) *bed {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, namespace: shared.Namespace(t, "")}
	b.set = b.namespace
	b.addNodes(n, kube.Node{Prefix: "n"})
	return b
}

// addNodes adds nodes to those of the test.
func (b *bed) addNodes(n int, template kube.Node) []string {
	b.t.Helper()
	template.Prefix = b.set + "-" + template.Prefix
	labels := map[string]string{setLabel: b.set}
	for key, value := range template.Labels {
		labels[key] = value
	}
	template.Labels = labels
	names := shared.TestNodes(b.t, n, template)
	b.nodes = append(b.nodes, names...)
	return names
}

// say makes handler decide about the pods of the test.
func (b *bed) say(handler kube.Handler) { shared.answers.Store(b.namespace, handler) }

// sayAll makes all pods do the same.
func (b *bed) sayAll(result kube.Result) {
	b.say(func(*corev1.Pod, *corev1.Node) kube.Result { return result })
}

// values are those that keep the agent on the nodes of the test, with others laid over them.
func (b *bed) values(mode string, kernelModule map[string]any, tap ...map[string]any) map[string]any {
	km := map[string]any{"mode": mode, "agent": map[string]any{"nodeSelector": map[string]any{setLabel: b.set}}}
	for key, value := range kernelModule {
		km[key] = value
	}
	all := map[string]any{"kernelModule": km}
	for _, extra := range tap {
		for key, value := range extra {
			all[key] = value
		}
	}
	return map[string]any{"tap": all}
}

// pods lists the agent's pods of a release that are not being deleted.
func (b *bed) pods(release string) []corev1.Pod {
	b.t.Helper()
	list, err := shared.Client.CoreV1().Pods(b.namespace).List(b.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=agent,app.kubernetes.io/instance=" + release})
	if err != nil {
		b.t.Fatal(err)
	}
	var living []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			living = append(living, pod)
		}
	}
	return living
}

// countPods counts those that are wanted.
func (b *bed) countPods(release string, wanted func(corev1.Pod) bool) int {
	b.t.Helper()
	count := 0
	for _, pod := range b.pods(release) {
		if wanted(pod) {
			count++
		}
	}
	return count
}

// waitForPods waits until exactly n pods of a release are as wanted.
func (b *bed) waitForPods(release, what string, n int, wanted func(corev1.Pod) bool) {
	b.t.Helper()
	b.waitFor(what, func() bool { return b.countPods(release, wanted) == n })
}

func (b *bed) waitFor(what string, check func() bool) {
	b.t.Helper()
	if err := kube.Poll(b.ctx, what, func(context.Context) (bool, error) { return check(), nil }); err != nil {
		b.t.Fatal(err)
	}
}

func ready(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// inInit tells whether the pod's init container has that name and runs.
func inInit(name string) func(corev1.Pod) bool {
	return func(pod corev1.Pod) bool {
		statuses := pod.Status.InitContainerStatuses
		return len(statuses) == 1 && statuses[0].Name == name && statuses[0].State.Running != nil
	}
}

func readyAfter(name string) func(corev1.Pod) bool {
	return func(pod corev1.Pod) bool { return ready(pod) && pod.Spec.InitContainers[0].Name == name }
}

// last tells whether a node's name ends the list of the test's nodes.
func (b *bed) last(node *corev1.Node) bool {
	return strings.HasSuffix(node.Name, b.nodes[len(b.nodes)-1])
}
