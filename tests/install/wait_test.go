package install_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"helm.sh/helm/v3/pkg/release"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestInstallWaitsForEveryNode(t *testing.T) {
	for mode, initName := range modes {
		for _, n := range nodeCounts {
			t.Run(title(mode, n), func(t *testing.T) {
				b := newBed(t, n)
				h := newHelm(b)
				b.sayAll(kube.Held())
				done := h.background(func() error {
					_, err := h.install("pfring", b.values(mode, nil), waitTimeout)
					return err
				})
				b.waitForPods("pfring", "all pods to be in their init container", n, inInit(initName))
				h.stillWaits(done)
				if n > 1 {
					b.say(func(_ *corev1.Pod, node *corev1.Node) kube.Result {
						if b.last(node) {
							return kube.Held()
						}
						return kube.Loaded()
					})
					b.waitForPods("pfring", "all pods but one to be ready", n-1, ready)
					h.stillWaits(done)
				}
				b.sayAll(kube.Loaded())
				h.returns(done)
				if got := b.countPods("pfring", ready); got != n {
					t.Errorf("Helm returned with %d of %d pods ready", got, n)
				}
			})
		}
	}
}

func TestNodesThatFallBackToLibpcapAreReady(t *testing.T) {
	b := newBed(t, 2)
	h := newHelm(b)
	b.sayAll(kube.Fallback(outcome.NoModuleForKernel))
	h.mustInstall("pfring", b.values("auto", nil))
	for _, pod := range b.pods("pfring") {
		got, err := outcome.Parse([]byte(pod.Status.InitContainerStatuses[0].State.Terminated.Message))
		if err != nil || got.Backend != outcome.Libpcap || got.Node != pod.Spec.NodeName {
			t.Errorf("pod on %s: %+v, %v", pod.Spec.NodeName, got, err)
		}
	}
}

func TestInstallTimesOutOnANodeThatFails(t *testing.T) {
	for mode := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, 3)
			h := newHelm(b)
			b.say(func(_ *corev1.Pod, node *corev1.Node) kube.Result {
				if b.last(node) {
					return kube.Failed(outcome.NoModuleForKernel)
				}
				return kube.Loaded()
			})
			rel, err := h.install("pfring", b.values(mode, map[string]any{"onUnavailable": "fail"}), 6*time.Second)
			if err == nil {
				t.Fatal("Helm says that all is well")
			}
			if rel == nil || rel.Info.Status != release.StatusFailed {
				t.Errorf("the release is not failed: %+v", rel)
			}
			b.waitForPods("pfring", "the two pods whose nodes have the module to be ready", 2, ready)
			for _, pod := range b.pods("pfring") {
				want := corev1.EnvVar{Name: "PFRING_ON_UNAVAILABLE", Value: "fail"}
				if !hasEnv(pod.Spec.InitContainers[0], want) {
					t.Errorf("the agent is not told to fail: %v", pod.Spec.InitContainers[0].Env)
				}
			}
			if err := h.uninstall("pfring"); err != nil {
				t.Errorf("a failed release cannot be uninstalled: %v", err)
			}
			b.nothingIsLeft()
		})
	}
}

func hasEnv(c corev1.Container, want corev1.EnvVar) bool {
	for _, env := range c.Env {
		if env == want {
			return true
		}
	}
	return false
}
