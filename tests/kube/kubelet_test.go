package kube_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestADaemonSetsPodsGoThroughTheirStatesAsTheHandlerSays(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var answer atomic.Pointer[kube.Result]
	say := func(r kube.Result) { answer.Store(&r) }
	say(kube.Held())
	kubelet := startKubelet(t, func(*corev1.Pod, *corev1.Node) kube.Result { return *answer.Load() })
	nodes, err := cluster.AddNodes(ctx, 3, kube.Node{Kernel: func(i int) string { return fmt.Sprintf("6.%d.0", i) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeNodes(t, nodes) })
	ns := cluster.Namespace(t, "")
	if _, err := cluster.Client.AppsV1().DaemonSets(ns).Create(ctx, daemonSet(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	waitForPods(ctx, t, ns, "3 pods in their init container", func(pod corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodPending && len(pod.Status.InitContainerStatuses) == 1 && pod.Status.InitContainerStatuses[0].State.Running != nil
	})
	say(kube.Failed(outcome.NoModuleForKernel))
	waitForPods(ctx, t, ns, "3 crashing pods", func(pod corev1.Pod) bool {
		init := pod.Status.InitContainerStatuses[0]
		return init.RestartCount == 1 && init.State.Waiting != nil && reasonIn(init.LastTerminationState.Terminated) == outcome.NoModuleForKernel
	})
	say(kube.Loaded())
	waitForPods(ctx, t, ns, "3 ready pods", ready)
	for _, pod := range pods(ctx, t, ns) {
		got, err := outcome.Parse([]byte(pod.Status.InitContainerStatuses[0].State.Terminated.Message))
		if err != nil {
			t.Fatal(err)
		}
		if want := "6." + pod.Spec.NodeName[len("node-"):] + ".0"; got.Kernel != want || got.Node != pod.Spec.NodeName || got.BootID != "boot-"+got.Node {
			t.Errorf("outcome %+v on node %s, whose kernel is %s", got, pod.Spec.NodeName, want)
		}
	}
	say(kube.Result{Unready: true})
	kubelet.Resync()
	waitForPods(ctx, t, ns, "3 pods that run and are not ready", func(pod corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodRunning && !pod.Status.ContainerStatuses[0].Ready
	})
	if err := cluster.Client.AppsV1().DaemonSets(ns).Delete(ctx, "agent", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := kube.Poll(ctx, "the pods to go", func(ctx context.Context) (bool, error) { return len(pods(ctx, t, ns)) == 0, nil }); err != nil {
		t.Error(err)
	}
}

func TestAPodThatIsNotRestartedEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	startKubelet(t, func(pod *corev1.Pod, _ *corev1.Node) kube.Result {
		if pod.Name == "bad" {
			return kube.Result{ExitCode: 1}
		}
		return kube.Result{}
	})
	nodes, err := cluster.AddNodes(ctx, 1, kube.Node{Prefix: "once"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeNodes(t, nodes) })
	ns := cluster.Namespace(t, "")
	want := map[string]corev1.PodPhase{"good": corev1.PodSucceeded, "bad": corev1.PodFailed}
	for name := range want {
		spec := daemonSet().Spec.Template.Spec
		spec.InitContainers, spec.RestartPolicy = nil, corev1.RestartPolicyNever
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
		if _, err := cluster.Client.CoreV1().Pods(ns).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := kube.Poll(ctx, "both pods to end", func(ctx context.Context) (bool, error) {
		for _, pod := range pods(ctx, t, ns) {
			if pod.Status.Phase != want[pod.Name] {
				return false, nil
			}
		}
		return true, nil
	}); err != nil {
		t.Error(err)
	}
}

func startKubelet(t *testing.T, handler kube.Handler) *kube.Kubelet {
	t.Helper()
	// Not the test's own context: pods must still go when its cleanup runs.
	ctx, cancel := context.WithCancel(context.Background())
	kubelet, err := cluster.RunKubelet(ctx, handler)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); kubelet.Wait() })
	return kubelet
}

func removeNodes(t *testing.T, nodes []string) {
	if err := cluster.RemoveNodes(context.Background(), nodes...); err != nil {
		t.Error(err)
	}
}

func daemonSet() *appsv1.DaemonSet {
	labels := map[string]string{"app": "agent"}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{{Name: "load", Image: "agent"}},
					Containers:     []corev1.Container{{Name: "run", Image: "agent"}},
				},
			},
		},
	}
}

func pods(ctx context.Context, t *testing.T, ns string) []corev1.Pod {
	t.Helper()
	list, err := cluster.Client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// waitForPods waits until there are three pods and all are as wanted.
func waitForPods(ctx context.Context, t *testing.T, ns, what string, wanted func(corev1.Pod) bool) {
	t.Helper()
	if err := kube.Poll(ctx, what, func(ctx context.Context) (bool, error) {
		list := pods(ctx, t, ns)
		for _, pod := range list {
			if !wanted(pod) {
				return false, nil
			}
		}
		return len(list) == 3, nil
	}); err != nil {
		t.Fatal(err)
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

func reasonIn(ended *corev1.ContainerStateTerminated) outcome.Reason {
	if ended == nil {
		return ""
	}
	o, err := outcome.Parse([]byte(ended.Message))
	if err != nil {
		return ""
	}
	return o.Reason
}
