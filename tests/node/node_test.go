package node_test

import (
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// handLoaded is the module on the node's disk, for whoever stands in for KMM.
const handLoaded = "/pf_ring.ko"

// TestARealNode goes through a release's life on one node: each step goes on
// from where the one before it ended.
func TestARealNode(t *testing.T) {
	b := newBed(t)
	kernel := vm.Get(t, vm.Stable)
	ko := vm.Module(t, kernel, vm.Variant{Version: version})
	repository := moduletest.NewRepository(t).AddFile(kernel.Release, "amd64", version, ko, "zst").Sign()
	b.serve(t, "pf-ring", repository)
	b.writeValues(t, repository.PublicKey)
	// By the same key, and with nothing for this kernel.
	other := *repository
	other.Index.Modules, other.Files = nil, map[string][]byte{}
	b.serve(t, "others", other.AddFile("6.1.0-1-other-amd64", "amd64", version, ko, "zst").Sign())
	// By somebody else's key.
	b.serve(t, "forged", moduletest.NewRepository(t).AddFile(kernel.Release, "amd64", version, ko, "zst").Sign())
	n := node.Start(t, b.cluster, b.registry, "worker-1", kernel, map[string][]byte{handLoaded: ko})

	for _, stage := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"prereq check --probe answers from the node", func(t *testing.T) { probes(t, b) }},
		{"helm install --wait loads with the capability SYS_MODULE alone", func(t *testing.T) { installs(t, b, n) }},
		{"metrics can be scraped", func(t *testing.T) { scrapes(t, b, n) }},
		{"compatibility finds the module", func(t *testing.T) { isCompatible(t, b, n) }},
		{"an injected worker starts", func(t *testing.T) { injects(t, b, n) }},
		{"after a reboot it is loaded again", func(t *testing.T) { reboots(t, b, n) }},
		{"auto to kmm to auto without a moment unready", func(t *testing.T) { changesModes(t, b, n) }},
		{"no module for the kernel", func(t *testing.T) { fallsBack(t, b, n, "others", outcome.NoModuleForKernel) }},
		{"a pod without the capability", func(t *testing.T) { lacksCapability(t, b, n) }},
		{"a signature of somebody else", func(t *testing.T) { fallsBack(t, b, n, "forged", outcome.SignatureInvalid) }},
		{"retry once the repository is fixed", func(t *testing.T) { retries(t, b, n, repository) }},
		{"kmm waits for whatever loads the module", func(t *testing.T) { waitsForKMM(t, b, n) }},
		{"unloadOnDestroy and uninstall leave nothing", func(t *testing.T) { uninstalls(t, b, n) }},
	} {
		if !t.Run(stage.name, stage.run) {
			t.Fatal("the steps after this one go on from it, and are left out")
		}
	}
	usage := n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/sh", "-c", "du -sm /; cat /proc/meminfo"}}).Stdout
	t.Logf("the node at the end:\n%s", strings.Split(usage, "Buffers")[0])
}
