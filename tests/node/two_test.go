package node_test

import (
	"os"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// twoNodesEnv, when set, has the test with two nodes run: it is the longest.
const twoNodesEnv = "PFRING_TEST_TWO_NODES"

// TestTwoNodesOfDifferentKernels has a module for one of them only: each part of
// the project must tell them apart, and the other must do without.
func TestTwoNodesOfDifferentKernels(t *testing.T) {
	if os.Getenv(twoNodesEnv) == "" {
		t.Skip("runs two nodes beside each other, for minutes: make e2e-two-nodes")
	}
	b := newBed(t)
	with, without := vm.Get(t, vm.Stable), vm.Get(t, vm.Backports)
	ko := vm.Module(t, with, vm.Variant{Version: version})
	repository := moduletest.NewRepository(t).AddFile(with.Release, "amd64", version, ko, "zst").Sign()
	b.serve(t, "pf-ring", repository)
	b.writeValues(t, repository.PublicKey)
	first := node.Start(t, b.cluster, b.registry, "worker-1", with, nil)
	second := node.Start(t, b.cluster, b.registry, "worker-2", without, nil)

	r := b.withRepository(t, "compatibility")
	b.tells(t, r, outcome.ExitNo, "pfring compatibility", with.Release, without.Release)
	r = b.withRepository(t, "plan")
	b.tells(t, r, 0, "pfring plan", with.Release, without.Release)

	if err := b.install(t.Context(), "install"); err != nil {
		t.Fatal(err)
	}
	if !first.Loaded(t, "pf_ring") || second.Loaded(t, "pf_ring") {
		t.Errorf("loaded: %v, %v", first.Loaded(t, "pf_ring"), second.Loaded(t, "pf_ring"))
	}
	for _, pod := range b.pods(t) {
		want := map[string]outcome.Reason{first.Name: outcome.Loaded, second.Name: outcome.NoModuleForKernel}[pod.Spec.NodeName]
		if o := said(t, pod); !isReady(pod) || o.Reason != want {
			t.Errorf("pod on %s: ready %v, %s", pod.Spec.NodeName, isReady(pod), o.Reason)
		}
	}
	report := b.status(t, outcome.ExitNo)
	if report.Summary.OK != 1 || report.Summary.Fallback != 1 || report.Nodes[0].Reason != outcome.Loaded || report.Nodes[1].Reason != outcome.NoModuleForKernel {
		t.Errorf("%+v", report)
	}
	r = b.onCluster(t, "status", "--output", "wide")
	b.tells(t, r, outcome.ExitNo, "pfring status", with.Release, without.Release, string(outcome.NoModuleForKernel))

	// The other kernel's module comes into the repository: only that node is loaded on.
	repository.AddFile(without.Release, "amd64", version, vm.Module(t, without, vm.Variant{Version: version}), "zst")
	repository.Index.Serial++
	b.serve(t, "pf-ring", repository.Sign())
	r = b.onCluster(t, "retry")
	b.tells(t, r, 0, "pfring retry", second.Name)
	if strings.Contains(r.out, first.Name) || !second.Loaded(t, "pf_ring") {
		t.Errorf("retry: loaded on %s %v\n%s", second.Name, second.Loaded(t, "pf_ring"), r.out)
	}
	b.tells(t, b.withRepository(t, "compatibility"), 0, "pfring compatibility, with both modules", with.Release, without.Release)
}

// tells checks a command's exit code and words, and logs what it printed.
func (b *bed) tells(t *testing.T, r result, code int, what string, words ...string) {
	t.Helper()
	t.Logf("%s (exit code %d):\n%s%s", what, r.code, r.out, r.err)
	if r.code != code {
		t.Errorf("%s: exit code %d, want %d", what, r.code, code)
	}
	for _, word := range words {
		if !strings.Contains(r.out, word) {
			t.Errorf("%s does not say %q", what, word)
		}
	}
}
