package vm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// signedCase is a module under a kernel that looks at signatures.
type signedCase struct {
	name, module, kernelModule string
	errno                      string
	reason                     outcome.Reason
	says                       string
}

// TestSignatures is about kernels that take signed modules only. The module that
// a kernel trusts is one of its own; it has no /proc/net file, so the agent finds
// it loaded and not usable.
func TestSignatures(t *testing.T) {
	for _, c := range []struct {
		name, commandLine string
		cases             []signedCase
	}{
		{"sig_enforce", "module.sig_enforce=1", []signedCase{
			{"unsigned", "unsigned", "pf_ring", "EKEYREJECTED", outcome.SignatureRequired, "this one is not signed"},
			{"foreign key", "foreign", "pf_ring", "EKEYREJECTED", outcome.SignatureRequired, "does not accept the module's signature"},
			{"truncated", "truncated", "pf_ring", "EKEYREJECTED", outcome.Truncated, ""},
			{"changed after signing", "changed", "dummy", "EKEYREJECTED", outcome.SignatureRequired, "does not accept the module's signature"},
			{"trusted", "trusted", "dummy", "", outcome.NotUsable, "/proc/net/dummy"},
		}},
		{"lockdown", "lockdown=integrity", []signedCase{
			{"unsigned", "unsigned", "pf_ring", "EPERM", outcome.LockedDown, "lockdown=integrity"},
			{"foreign key", "foreign", "pf_ring", "EPERM", outcome.LockedDown, "signature it does not trust"},
			{"truncated", "truncated", "pf_ring", "EPERM", outcome.Truncated, ""},
			{"changed after signing", "changed", "dummy", "EKEYREJECTED", outcome.SignatureRequired, "changed after signing"},
			{"trusted", "trusted", "dummy", "", outcome.NotUsable, "/proc/net/dummy"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, vm.Stable)
			r.signedModules(t)
			r.boot(t, c.commandLine)
			for _, s := range c.cases {
				t.Run(s.name, func(t *testing.T) { r.checkSigned(t, s) })
			}
		})
	}
}

// signedModules puts one repository for each module into the machine.
func (r *rig) signedModules(t *testing.T) {
	t.Helper()
	ours, trusted := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"}), vm.Dummy(t, r.kernel)
	changed := changedAfterSigning(t, r)
	for name, ko := range map[string][]byte{"unsigned": ours, "truncated": ours[:len(ours)/2], "foreign": vm.Sign(t, r.kernel, ours), "changed": changed, "trusted": trusted} {
		repository := moduletest.NewRepository(t).AddFile(r.kernel.Release, "amd64", "8.9.0", ko, "xz")
		if name == "changed" || name == "trusted" {
			repository.Index.Module = "dummy"
		}
		r.keep(name, repository.Sign())
		r.files["/modules/"+name+".ko"] = ko
	}
}

func (r *rig) checkSigned(t *testing.T, s signedCase) {
	defer r.remove(t, s.kernelModule)
	if errno := r.Do(t, step.Request{Op: step.Insmod, Path: "/modules/" + s.module + ".ko"}).Data; errno != s.errno {
		t.Errorf("init_module: %q, want %q", errno, s.errno)
	}
	for _, blind := range []bool{false, true} {
		r.remove(t, s.kernelModule)
		request := r.load(s.module, "--module-name="+s.kernelModule)
		says := s.says
		if blind {
			// A container without the host's /sys and the kernel's log.
			request = r.load(s.module, "--module-name="+s.kernelModule, "--host-sys=/nowhere")
			request.Privilege, says = step.Module, strings.Replace(s.says, "lockdown=integrity", "lockdown", 1)
		}
		result := r.Do(t, request)
		o := r.outcome(t, result)
		if o.Reason != s.reason || o.Backend != outcome.Libpcap || result.Code != 0 || !strings.Contains(o.Message, says) {
			t.Errorf("want %s with %q, got %s\n%s", s.reason, says, pretty(o), result.Stderr)
		}
		if live := r.loaded(t, s.kernelModule); (live == "Live") != (s.errno == "") {
			t.Errorf("/proc/modules has %s %q", s.kernelModule, live)
		}
		var kept outcome.Outcome
		if err := json.Unmarshal([]byte(r.Do(t, step.Request{Op: step.Read, Path: stateFile}).Data), &kept); err != nil || kept.Reason != o.Reason {
			t.Errorf("the state file: %v, %s", err, pretty(kept))
		}
	}
}
