package broken_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestWhatANamespaceAdmits(t *testing.T) {
	whole(t)
	for _, c := range []struct {
		level, mode string
		want        []string
	}{
		{"privileged", "auto", nil},
		{"baseline", "auto", []string{"namespace.admits-auto error pod-security"}},
		{"restricted", "auto", []string{"namespace.admits-auto error pod-security"}},
		{"privileged", "kmm", nil},
		{"baseline", "kmm", []string{"namespace.admits-kmm-workers error pod-security"}},
		{"restricted", "kmm", []string{"namespace.admits-kmm-workers error pod-security"}},
	} {
		t.Run(c.level+", "+c.mode, func(t *testing.T) {
			attempt{mode: c.mode, namespace: shared.Namespace(t, c.level)}.finds(t, c.want...)
		})
	}
	t.Run("restricted, kmm with ring counters", func(t *testing.T) {
		attempt{mode: "kmm", namespace: shared.Namespace(t, "restricted"), kernelModule: object{"metrics": object{"rings": true}}}.finds(t,
			"namespace.admits-kmm error pod-security", "namespace.admits-kmm-workers error pod-security")
	})
}

func TestANamespaceThatIsNotThere(t *testing.T) {
	whole(t)
	// The webhooks are tried elsewhere then.
	report := attempt{mode: "kmm", namespace: "not-there"}.finds(t, "namespace.exists error namespace-missing")
	for _, f := range report.Findings {
		if (f.ID == "kmm.webhook" || f.ID == "cert-manager.webhook") && f.Result != "ok" {
			t.Errorf("%+v", f)
		}
	}
}

func TestANamespaceThatIsGoing(t *testing.T) {
	where := shared.Namespace(t, "")
	o, err := parse(fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: holds, namespace: %s, finalizers: [example.com/holds]}}", where))
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, []*unstructured.Unstructured{o})
	t.Cleanup(func() {
		o.SetFinalizers(nil)
		if err := apply(context.Background(), o.DeepCopy()); err != nil {
			// It goes at once when its finalizer does.
			t.Log(err)
		}
	})
	if err := shared.Client.CoreV1().Namespaces().Delete(t.Context(), where, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	attempt{mode: "auto", namespace: where}.finds(t, "namespace.exists error namespace-terminating")
}

func TestAQuotaThatDoesNotSuffice(t *testing.T) {
	whole(t)
	t.Run("room enough", func(t *testing.T) {
		attempt{mode: "auto", namespace: quotaIn(t, `{pods: "10", requests.cpu: "4", requests.memory: 4Gi, limits.memory: 4Gi, limits.cpu: "40"}`),
			kernelModule: object{"agent": object{"resources": object{"limits": object{"cpu": "1"}}}}}.finds(t)
	})
	t.Run("fewer pods than nodes", func(t *testing.T) {
		attempt{mode: "auto", namespace: quotaIn(t, `{pods: "3"}`)}.finds(t, "namespace.quota error quota-exceeded")
	})
	t.Run("no pod at all", func(t *testing.T) {
		attempt{mode: "auto", namespace: quotaIn(t, `{pods: "0"}`)}.finds(t, "namespace.admits-auto error quota-exceeded", "namespace.quota error quota-exceeded")
	})
	t.Run("too little memory for all nodes", func(t *testing.T) {
		attempt{mode: "auto", namespace: quotaIn(t, `{requests.memory: 100Mi}`)}.finds(t, "namespace.quota error quota-exceeded")
	})
	t.Run("KMM's workers do not fit", func(t *testing.T) {
		attempt{mode: "kmm", namespace: quotaIn(t, `{requests.cpu: 400m}`)}.finds(t, "namespace.admits-kmm-workers error quota-exceeded")
	})
}

func TestNodesThatAreNotAsTheyShouldBe(t *testing.T) {
	t.Run("one is not ready", func(t *testing.T) {
		set := nodes(t, 3, kube.Node{Kernel: func(int) string { return kernelA }})
		changeNode(t, set+"-0", func(n *corev1.Node) {
			for i := range n.Status.Conditions {
				if n.Status.Conditions[i].Type == corev1.NodeReady {
					n.Status.Conditions[i].Status = corev1.ConditionFalse
				}
			}
		})
		attempt{mode: "auto", set: set}.finds(t, "nodes.ready warning node-not-ready")
	})
	t.Run("one is cordoned", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Kernel: func(int) string { return kernelA }})
		changeNode(t, set+"-0", func(n *corev1.Node) { n.Spec.Unschedulable = true })
		attempt{mode: "auto", set: set}.finds(t)
	})
	taint := []corev1.Taint{{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	t.Run("one is tainted", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Kernel: func(int) string { return kernelA }})
		addNodes(t, 1, kube.Node{Prefix: "-tainted", Taints: taint, Kernel: func(int) string { return kernelA }}, set)
		attempt{mode: "auto", set: set, tap: object{"ignoreTainted": true}}.finds(t, "nodes.taints warning taint-not-tolerated")
	})
	t.Run("all are tainted", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Taints: taint, Kernel: func(int) string { return kernelA }})
		attempt{mode: "auto", set: set, tap: object{"ignoreTainted": true}}.finds(t, "nodes.taints error all-nodes-tainted")
	})
	t.Run("none is selected", func(t *testing.T) {
		attempt{mode: "auto", set: "nobody"}.finds(t, "nodes.selected error no-node-selected")
	})
	t.Run("mixed architectures, modules for one", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Kernel: func(int) string { return kernelA }})
		addNodes(t, 1, kube.Node{Prefix: "-arm", Arch: "arm64", Kernel: func(int) string { return kernelA }}, set)
		attempt{mode: "auto", set: set}.finds(t, "auto.kernels warning no-module-for-kernel")
		whole(t)
		attempt{mode: "kmm", set: set}.finds(t, "mappings.images-arch warning image-wrong-arch")
		// The image for both has a module for each.
		attempt{mode: "kmm", set: set, kernelModule: images("both")}.finds(t)
	})
	t.Run("some take no module", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Kernel: func(int) string { return kernelA }, Labels: map[string]string{"cloud.google.com/gke-nodepool": "p"}})
		for i, want := range []string{"warning", "error"} {
			changeNode(t, fmt.Sprintf("%s-%d", set, i), func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Container-Optimized OS from Google" })
			a := attempt{mode: "auto", set: set, args: []string{"--only", "nodes"}}
			a.finds(t, "nodes.platform "+want+" platform-forbids-modules")
		}
	})
	t.Run("some may take none", func(t *testing.T) {
		set := nodes(t, 2, kube.Node{Kernel: func(int) string { return kernelA }})
		changeNode(t, set+"-0", func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Bottlerocket OS 1.37.0 (aws-k8s-1.33)" })
		attempt{mode: "auto", set: set}.finds(t, "nodes.platform warning platform-unclear")
	})
}

func TestAnotherOwnerOfTheModule(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	o, err := parse(fmt.Sprintf(`
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: Module
metadata: {name: theirs, namespace: %s}
spec:
  selector: {%s: usual}
  moduleLoader: {container: {modprobe: {moduleName: pf_ring}, kernelMappings: [{regexp: "^.+$", containerImage: "registry.example/pf-ring:1"}]}}
`, where, setLabel))
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, []*unstructured.Unstructured{o})
	t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{o}) })
	attempt{mode: "kmm"}.finds(t, "nodes.overlap error module-has-another-owner")
}

func TestWaitingUntilAWebhookIsUp(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	changed(t, "ValidatingWebhookConfiguration", "kmm-operator", client(object{"url": "https://127.0.0.1:1/validate-module"}))
	attempt{mode: "kmm", namespace: where}.finds(t, "kmm.webhook error webhook-connection-refused")
	mended := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		mended <- put(context.Background(), named(t, "ValidatingWebhookConfiguration", "kmm-operator"))
	}()
	a := attempt{mode: "kmm", namespace: where, args: []string{"--wait", "1m"}}
	report, code := a.report(t)
	if err := <-mended; err != nil {
		t.Fatal(err)
	}
	if got := findings(report); len(got) > 0 || code != 0 {
		t.Errorf("exit %d, %v", code, got)
	}
}

// quotaIn is a namespace with a quota that counts.
func quotaIn(t *testing.T, hard string) string {
	t.Helper()
	where := shared.Namespace(t, "")
	o, err := parse(fmt.Sprintf("{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight, namespace: %s}, spec: {hard: %s}}", where, hard))
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, []*unstructured.Unstructured{o})
	err = kube.Poll(t.Context(), "the quota's status", func(ctx context.Context) (bool, error) {
		q, err := shared.Client.CoreV1().ResourceQuotas(where).Get(ctx, "tight", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}
