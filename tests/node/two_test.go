package node_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

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

// TestTwoKernelsAreSupplied installs without a module repository on two nodes of
// different kernels. Pods of one node cannot reach those of the other here, so
// the controller keeps modules in a bucket, which agents read themselves.
func TestTwoKernelsAreSupplied(t *testing.T) {
	if os.Getenv(twoNodesEnv) == "" {
		t.Skip("runs two nodes beside each other, for minutes: make e2e-two-nodes")
	}
	b, w := newSuppliedBed(t)
	kernels := []vm.Kernel{vm.Get(t, vm.Stable), vm.Get(t, vm.Backports)}
	w.has(t, kernels...)
	b.writeSupplied(t, w)
	var nodes []*node.Node
	for i, k := range kernels {
		nodes = append(nodes, node.Start(t, b.cluster, b.registry, fmt.Sprintf("127.0.0.%d", i+2), k, nil))
	}
	b.bucket.Put(t, "modules", map[string][]byte{"others/README": []byte("a bucket is not the controller's to make")})
	began := time.Now()
	err := b.install(t.Context(), "install", "supply.store.type=url", "supply.store.url=s3://modules/supplied",
		"supply.store.endpoint=http://"+node.Reachable(b.bucket.Address), "supply.store.pathStyle=true", "supply.store.credentialsSecret=repository")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		poll(t, "PF_RING on "+n.Name, func() bool {
			time.Sleep(time.Second)
			return n.Loaded(t, "pf_ring")
		})
		t.Logf("%s (%s) has PF_RING %.1f s after helm install began", n.Name, n.Kernel.Release, time.Since(began).Seconds())
		if asked := w.asked(n.Kernel.Release); asked != 1 {
			t.Errorf("%d builds for %s", asked, n.Kernel.Release)
		}
	}
	report := b.status(t, outcome.ExitOK)
	if report.Summary.OK != 2 || !report.Complete {
		t.Errorf("%+v", report)
	}
	for _, got := range report.Nodes {
		if got.Reason != outcome.Loaded || got.Verified != outcome.VerifiedSignature || got.Source != "s3://modules/supplied" {
			t.Errorf("%+v", got)
		}
	}
	b.tells(t, b.onCluster(t, "status", "--output", "wide"), outcome.ExitOK, "pfring status", kernels[0].Release, kernels[1].Release)
	b.uninstallSupplied(t)
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
