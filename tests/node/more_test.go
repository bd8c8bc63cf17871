package node_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// lacksCapability runs the release's own DaemonSet a second time without its
// capability: the kernel refuses it.
func lacksCapability(t *testing.T, b *bed, n *node.Node) {
	api := b.cluster.Client.AppsV1().DaemonSets(namespace)
	list, err := api.List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d DaemonSets, %v", len(list.Items), err)
	}
	labels := map[string]string{"app": "powerless"}
	template := list.Items[0].Spec.Template
	template.Labels = labels
	template.Spec.InitContainers[0].SecurityContext.Capabilities.Add = nil
	b.runs(t, &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "powerless", Labels: labels},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}, func(pod corev1.Pod) {
		if o := said(t, pod); o.Reason != outcome.CapabilityMissing || o.Backend != outcome.Libpcap || !strings.Contains(o.Message, "SYS_MODULE") {
			t.Errorf("%+v", o)
		}
	})
	if n.Loaded(t, "pf_ring") {
		t.Error("it has loaded the module")
	}
}

// runs makes a DaemonSet, waits for its only pod to be ready, looks at it, and
// deletes it.
func (b *bed) runs(t *testing.T, ds *appsv1.DaemonSet, look func(corev1.Pod)) {
	t.Helper()
	if _, err := b.cluster.Client.AppsV1().DaemonSets(namespace).Create(t.Context(), ds, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods := func() []corev1.Pod {
		list, err := b.cluster.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(ds.Spec.Selector)})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	poll(t, "a pod of "+ds.Name+" to be ready", func() bool {
		list := pods()
		return len(list) == 1 && isReady(list[0])
	})
	look(pods()[0])
	if err := b.cluster.Client.AppsV1().DaemonSets(namespace).Delete(t.Context(), ds.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	poll(t, "the pod of "+ds.Name+" to be gone", func() bool { return len(pods()) == 0 })
}

// worker is Kubeshark's worker, by what inject knows it: its label, and an image
// with a shell.
const worker = `apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: kubeshark-worker-daemon-set
  labels:
    app.kubeshark.com/app: worker
spec:
  selector:
    matchLabels:
      app.kubeshark.com/app: worker
  template:
    metadata:
      labels:
        app.kubeshark.com/app: worker
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: sniffer
          image: REGISTRY/kubeshark/worker:v53.3.0
          command: ["/bin/sleep", "3600"]
`

// injects starts a stand-in for Kubeshark's worker that waits in its own image.
func injects(t *testing.T, b *bed, n *node.Node) {
	busybox, err := os.ReadFile(filepath.Join(vm.Packages(t, "busybox-static"), "bin", "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	b.registry.Push(t, "kubeshark/worker:v53.3.0", []layer.File{
		{Name: "bin/busybox", Mode: 0o755, Data: busybox}, {Name: "bin/sh", Link: "busybox"}, {Name: "bin/sleep", Link: "busybox"}, {Name: "bin/cat", Link: "busybox"},
	})
	r := b.pfring(t, strings.ReplaceAll(worker, "REGISTRY", b.registry.Nodes), "inject")
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	ds := &appsv1.DaemonSet{}
	if err := yaml.UnmarshalStrict([]byte(r.out), ds); err != nil {
		t.Fatal(err)
	}
	b.runs(t, ds, func(pod corev1.Pod) {
		s := pod.Status.InitContainerStatuses
		if len(s) != 1 || s[0].Name != "pfring-wait" || s[0].State.Terminated == nil || s[0].State.Terminated.ExitCode != 0 {
			t.Errorf("%+v", s)
			return
		}
		took := s[0].State.Terminated.FinishedAt.Sub(s[0].State.Terminated.StartedAt.Time)
		t.Logf("the wait took %v on %s and says: %s", took, n.Name, s[0].State.Terminated.Message)
	})
}

// probes looks at the node from the inside before anything is installed.
func probes(t *testing.T, b *bed) {
	r := b.onCluster(t, "prereq", "check", "--values", b.values, "--probe", "--only", "nodes,probe,egress", "--output", "json")
	report := prereq.Report{}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
	fine := map[string]bool{}
	for _, f := range report.Findings {
		fine[f.ID] = f.Result == prereq.OK
		t.Logf("%s %s %s: %s", f.ID, f.Result, f.Reason, f.Observed)
	}
	for _, id := range []string{"probe.rights", "probe.ran", "probe.modules", "probe.signatures", "probe.loaded", "egress.source"} {
		if !fine[id] {
			t.Errorf("%s is not ok", id)
		}
	}
	b.nothingIsLeft(t)
}

// nothingIsLeft fails for every object of the namespace that is not the test's
// own.
func (b *bed) nothingIsLeft(t *testing.T) {
	t.Helper()
	var left []string
	poll(t, "what the garbage collector takes to be gone", func() bool {
		var err error
		if left, err = b.cluster.Objects(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		left = slices.DeleteFunc(left, func(name string) bool { return name == "secrets/repository" })
		// What has no owner stays, and is not waited for.
		return !slices.ContainsFunc(left, func(name string) bool {
			kind, _, _ := strings.Cut(name, "/")
			return slices.Contains([]string{"pods", "controllerrevisions", "jobs", "configmaps", "secrets", "replicasets"}, kind)
		})
	})
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// containers lists those that run. The kubelet removes what is left of ended
// ones by the minute.
func containers(t *testing.T, n *node.Node) string {
	t.Helper()
	return n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/ctr", "--namespace", "k8s.io", "tasks", "list", "--quiet"}}).Stdout
}
