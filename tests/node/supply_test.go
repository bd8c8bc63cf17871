package node_test

import (
	"context"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// supplyEnv, when set, has the longer tests of the supply run.
const supplyEnv = "PFRING_TEST_SUPPLY"

// TestTheClusterSuppliesItself installs the chart without a module repository, by
// the commands of the quick start: Jobs build, the controller signs and serves,
// and agents that fell back are started again, automatically. Each step goes on
// from where the one before it ended.
func TestTheClusterSuppliesItself(t *testing.T) {
	b := newEmptyBed(t)
	b.imported = true
	b.showsController(t)
	w := newWorkshop(t)
	b.pushBuilder(t)
	kernel, next := vm.Get(t, vm.Stable), vm.Get(t, vm.Backports)
	w.has(t, kernel, next)
	b.writeSupplied(t, w)
	p := readQuickstart(t, b)
	n := startSupplied(t, b, kernel)
	long := os.Getenv(supplyEnv) != ""
	for _, s := range []struct {
		name string
		run  func(*testing.T)
		long bool
	}{
		{"the quick start ends with PF_RING on every node", func(t *testing.T) { suppliesItself(t, b, n, p) }, false},
		{"a controller that is killed while it builds and while it publishes goes on", func(t *testing.T) { isKilled(t, b, w, n, next) }, false},
		{"a reboot while the controller is away", func(t *testing.T) { rebootsWithoutController(t, b, n) }, true},
		{"a reboot into a kernel that was built before", func(t *testing.T) { upgradesKernel(t, b, n, next) }, true},
		{"the quick start's uninstall leaves nothing", func(t *testing.T) { p.run(t, "helm uninstall"); b.isUninstalled(t); remove(t, n) }, false},
		{"values with a source that has nothing, and then a build that fails", func(t *testing.T) { failsToBuild(t, b, n) }, true},
		{"corrected values are built with at once", func(t *testing.T) { isCorrected(t, b, n) }, true},
	} {
		if s.long && !long {
			t.Logf("left out: %s (make e2e-supply has it)", s.name)
			continue
		}
		if !t.Run(s.name, s.run) {
			t.Fatal("the steps after this one go on from it, and are left out")
		}
	}
}

// newSuppliedBed is a bed with the images that a cluster needs which supplies
// itself, and what builders fetch from.
func newSuppliedBed(t *testing.T) (*bed, *workshop) {
	t.Helper()
	b := newBed(t)
	b.pushController(t)
	b.pushBuilder(t)
	b.showsController(t)
	return b, newWorkshop(t)
}

// showsController has a test that fails show what the controller has logged.
func (b *bed) showsController(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			b.showController(t)
		}
	})
}

// startSupplied starts a node of whose pods the API server can read the logs: the
// controller reads those of builds.
func startSupplied(t *testing.T, b *bed, kernel vm.Kernel) *node.Node {
	t.Helper()
	return node.Start(t, b.cluster, b.registry, "127.0.0.2", kernel, nil)
}

// showController logs what the controller has logged.
func (b *bed) showController(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // that of the test is over
	defer cancel()
	pods := b.cluster.Client.CoreV1().Pods(namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
	if err != nil {
		t.Log(err)
		return
	}
	for _, p := range list.Items {
		for _, previous := range []bool{true, false} {
			text, err := pods.GetLogs(p.Name, &corev1.PodLogOptions{Previous: previous}).DoRaw(ctx)
			t.Logf("the log of %s (of the container before: %v), %v:\n%s", p.Name, previous, err, text)
		}
	}
}
