package vm_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// TestArm64 loads a module into a kernel of the other architecture: agent, module
// and kernel are all built for it. A module for this one is refused by name.
func TestArm64(t *testing.T) {
	vm.NeedArm64(t)
	r := &rig{kernel: vm.Get(t, vm.StableArm64), files: map[string][]byte{}, keys: map[string]string{}}
	r.files[agent] = vm.ProgramFor(t, "arm64", "./cmd/pfring-agent")
	ko := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	if info, err := module.Inspect(ko); err != nil || info.Arch != "arm64" {
		t.Fatalf("the module is for %s: %v", info.Arch, err)
	}
	other := moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: r.kernel.Release, Arch: "amd64"}.Bytes()
	for name, ko := range map[string][]byte{repository: ko, "mislabelled": other} {
		r.keep(name, moduletest.NewRepository(t).AddFile(r.kernel.Release, "arm64", "8.9.0", ko, "zst").Sign())
	}
	r.boot(t, "")
	result := r.Do(t, r.load("mislabelled"))
	r.holds(t, result, r.outcome(t, result), outcome.WrongArch, false)
	request := r.load(repository, "--parameters=min_num_slots=8192")
	request.Privilege = step.Module
	result = r.Do(t, request)
	o := r.outcome(t, result)
	r.holds(t, result, o, outcome.Loaded, true)
	if o.Arch != "arm64" || o.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("%s", pretty(o))
	}
	r.wantVersion(t, "8.9.0")
	r.watch(t, step.NoCapability)
	if got := r.get(t, "/metrics", "200"); !strings.Contains(got, `pfring_backend{backend="pf_ring",reason="loaded"} 1`) {
		t.Errorf("metrics:\n%s", got)
	}
	r.end(t, "run", syscall.SIGTERM)
	if result := r.unload(t); result.Code != 0 || r.loaded(t, "pf_ring") != "" {
		t.Errorf("unload: code %d, %s", result.Code, result.Stderr)
	}
}
