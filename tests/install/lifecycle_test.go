package install_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

func TestUpgradeBetweenTheModesAndBackRollbackUninstall(t *testing.T) {
	for _, n := range nodeCounts {
		t.Run(title("both modes", n), func(t *testing.T) {
			b := newBed(t, n)
			h := newHelm(b)
			h.mustInstall("pfring", b.values("auto", nil))
			b.isIn("auto", n)

			b.upgradeKeepsThePodsUntilNewOnesAreReady(h, n)
			b.isIn("kmm", n)

			if err := h.upgrade("pfring", b.values("auto", nil)); err != nil {
				t.Fatal(err)
			}
			b.isIn("auto", n)
			if err := h.rollback("pfring", 2); err != nil {
				t.Fatal(err)
			}
			b.isIn("kmm", n)
			if err := h.rollback("pfring", 1); err != nil {
				t.Fatal(err)
			}
			b.isIn("auto", n)
			if err := h.uninstall("pfring"); err != nil {
				t.Fatal(err)
			}
			b.nothingIsLeft()
		})
	}
}

// upgradeKeepsThePodsUntilNewOnesAreReady upgrades to kmm while new pods are held back.
func (b *bed) upgradeKeepsThePodsUntilNewOnesAreReady(h *helm, n int) {
	b.t.Helper()
	b.say(func(pod *corev1.Pod, _ *corev1.Node) kube.Result {
		if pod.Spec.InitContainers[0].Name == modes["kmm"] {
			return kube.Held()
		}
		return kube.Loaded()
	})
	done := h.background(func() error { return h.upgrade("pfring", b.values("kmm", nil)) })
	// A surge of 10 %, rounded up.
	surge := (n + 9) / 10
	b.waitForPods("pfring", "new pods beside the old ones", surge, inInit(modes["kmm"]))
	h.stillWaits(done)
	if got := b.countPods("pfring", readyAfter(modes["auto"])); got != n {
		b.t.Errorf("%d of %d old pods are ready while the first new ones wait", got, n)
	}
	b.sayAll(kube.Loaded())
	h.returns(done)
}

func TestUpgradeToANewOutcomeOfFailWaitsToo(t *testing.T) {
	b := newBed(t, 1)
	h := newHelm(b)
	b.sayAll(kube.Fallback(outcome.SourceUnreachable))
	h.mustInstall("pfring", b.values("auto", nil))
	b.sayAll(kube.Failed(outcome.SourceUnreachable))
	done := h.background(func() error {
		return h.upgrade("pfring", b.values("auto", map[string]any{"onUnavailable": "fail"}))
	})
	b.waitForPods("pfring", "the new pod to crash", 1, func(pod corev1.Pod) bool {
		return len(pod.Status.InitContainerStatuses) == 1 && pod.Status.InitContainerStatuses[0].RestartCount > 0
	})
	h.stillWaits(done)
	b.sayAll(kube.Loaded())
	h.returns(done)
}

func TestTurningItOffRemovesEverything(t *testing.T) {
	b := newBed(t, 1)
	h := newHelm(b)
	h.mustInstall("pfring", b.values("kmm", nil))
	if err := h.upgrade("pfring", b.values("kmm", object{"enabled": false})); err != nil {
		t.Fatal(err)
	}
	b.waitForPods("pfring", "the pods to go", 0, func(corev1.Pod) bool { return true })
	for _, name := range b.objects() {
		// Helm's own memory of the two revisions.
		if !strings.HasPrefix(name, "secrets/sh.helm.release") && !strings.HasPrefix(name, "pods/") && !strings.HasPrefix(name, "controllerrevisions/") {
			t.Errorf("%s is there though the values turn PF_RING off", name)
		}
	}
}

func TestTwoReleasesSideBySideDoNotClash(t *testing.T) {
	for mode := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, 2)
			h := newHelm(b)
			// Each is what a careless suffix would make of the other.
			names := []string{"a", "a-pfring"}
			for _, name := range names {
				h.mustInstall(name, b.values(mode, nil))
			}
			for _, name := range names {
				if got := b.countPods(name, ready); got != 2 {
					t.Errorf("release %s has %d pods ready on 2 nodes", name, got)
				}
			}
			if err := h.uninstall(names[0]); err != nil {
				t.Fatal(err)
			}
			if got := b.countPods(names[1], ready); got != 2 {
				t.Errorf("with %s gone, %s has %d pods ready", names[0], names[1], got)
			}
			if err := h.uninstall(names[1]); err != nil {
				t.Fatal(err)
			}
			b.nothingIsLeft()
		})
	}
}

func TestHelmTestRunsTheAgentOnce(t *testing.T) {
	b := newBed(t, 1)
	h := newHelm(b)
	h.mustInstall("pfring", b.values("auto", nil))
	if err := h.test("pfring"); err != nil {
		t.Errorf("helm test: %v", err)
	}
	b.sayAll(kube.Result{ExitCode: outcome.ExitNo})
	if err := h.test("pfring"); err == nil {
		t.Error("helm test passes though the agent says no")
	}
}

// isIn checks that the release is in a mode, on every node.
func (b *bed) isIn(mode string, n int) {
	b.t.Helper()
	if got := b.countPods("pfring", readyAfter(modes[mode])); got != n || len(b.pods("pfring")) != n {
		b.t.Errorf("mode %s: %d of %d pods are ready in it, on %d nodes", mode, got, len(b.pods("pfring")), n)
	}
	modules, err := shared.Dynamic.Resource(moduleResource).Namespace(b.namespace).List(b.ctx, metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	if want := map[string]int{"auto": 0, "kmm": 1}[mode]; len(modules.Items) != want {
		b.t.Errorf("mode %s: %d Modules", mode, len(modules.Items))
	}
}

// nothingIsLeft fails the test for every object of its namespace that a release may have made.
func (b *bed) nothingIsLeft() {
	b.t.Helper()
	var left []string
	b.waitFor("what the garbage collector takes to be gone", func() bool {
		left = b.objects()
		return !slices.ContainsFunc(left, func(name string) bool {
			return strings.HasPrefix(name, "pods/") || strings.HasPrefix(name, "controllerrevisions/")
		})
	})
	if len(left) > 0 {
		b.t.Errorf("left over: %v", left)
	}
}

// objects names everything in the namespace but what Kubernetes itself put there.
func (b *bed) objects() []string {
	b.t.Helper()
	names, err := shared.Objects(b.ctx, b.namespace)
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}
