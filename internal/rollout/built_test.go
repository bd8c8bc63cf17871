package rollout

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestANodeWithoutAModuleIsWhatTheControllerSaysOfItsKernel(t *testing.T) {
	kernel := func(k supply.KernelStatus) *supply.Status {
		k.Kernel, k.Arch = "6.1.0-18-amd64", "amd64"
		return &supply.Status{SchemaVersion: 1, Kernels: []supply.KernelStatus{{Kernel: "other", Arch: "amd64", State: supply.Built}, k}}
	}
	valid := func(s *supply.Status) *supply.Status {
		s.Index.Expires = now.Add(time.Hour)
		return s
	}
	for name, c := range map[string]struct {
		status *supply.Status
		reason outcome.Reason
		state  State
		words  []string
	}{
		"nothing said yet":   {nil, outcome.SourceUnreachable, Building, []string{"r-pfring-controller", "not reported anything"}},
		"not looked at yet":  {&supply.Status{}, outcome.NoModuleForKernel, Building, []string{"not processed this kernel"}},
		"queued":             {kernel(supply.KernelStatus{State: supply.Queued}), outcome.NoModuleForKernel, Building, []string{"queued to be built"}},
		"building":           {kernel(supply.KernelStatus{State: supply.Building, Step: "compile", Tries: 2}), outcome.NoModuleForKernel, Building, []string{"step compile", "try 2"}},
		"built":              {kernel(supply.KernelStatus{State: supply.Built}), outcome.NoModuleForKernel, Building, []string{"restarts the agent"}},
		"no recipe":          {kernel(supply.KernelStatus{State: supply.Unsupported, Message: "no recipe for Talos", Remedy: "use kmm"}), outcome.NoModuleForKernel, Unsupported, []string{"no recipe for Talos", "use kmm"}},
		"failed":             {kernel(supply.KernelStatus{State: supply.Failed, Reason: supply.NoEgress, Message: "packages", Remedy: "set a proxy", Log: []string{"a", "cannot resolve"}, NextTry: now.Add(time.Minute)}), outcome.NoModuleForKernel, BuildFailed, []string{"no-egress: packages: cannot resolve", "next try in 60s", "set a proxy"}},
		"did not compile":    {kernel(supply.KernelStatus{State: supply.Failed, Reason: supply.CompileFailed, Message: "it does not compile", Log: []string{"pf_ring.c:12:10: fatal error: linux/nosuch.h: No such file or directory", "make: *** [all] Error 2"}}), outcome.NoModuleForKernel, BuildFailed, []string{"it does not compile: pf_ring.c:12:10: fatal error"}},
		"waits after a fail": {kernel(supply.KernelStatus{State: supply.Queued, Reason: supply.CompileFailed, Message: "gcc"}), outcome.NoModuleForKernel, BuildFailed, []string{"compile-failed: gcc"}},
		"another build":      {kernel(supply.KernelStatus{State: supply.Built}), outcome.OtherBuild, Fallback, []string{"what the agent saw; the controller builds one module for a kernel release", "uname -v", "that the other nodes run", "source.url"}},
		"other symbols":      {kernel(supply.KernelStatus{State: supply.Built}), outcome.SymbolMismatch, Fallback, []string{"uname -v"}},
		"not of a build":     {kernel(supply.KernelStatus{State: supply.Sourced}), outcome.OtherBuild, Fallback, []string{"what the agent saw"}},
		"a clock, or a CA":   {kernel(supply.KernelStatus{State: supply.Built}), outcome.SourceTLSUntrusted, Building, []string{"what the agent saw; its module is built, and the controller restarts the agent"}},
		"a clock ahead":      {valid(kernel(supply.KernelStatus{State: supply.Built})), outcome.IndexExpired, Building, []string{"what the agent saw; the index that the controller publishes is valid until ", "Set the node's clock, which is ahead"}},
		"an expired index":   {kernel(supply.KernelStatus{State: supply.Built}), outcome.IndexExpired, Building, []string{"what the agent saw; its module is built"}},
		"another fault":      {kernel(supply.KernelStatus{State: supply.Building}), outcome.LockedDown, Fallback, []string{"what the agent saw"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := factsOf(agentPod(func(p *corev1.Pod) {
				initStatus(p, ended0(c.reason), corev1.ContainerState{})
				runStatus(p, runningSince(start), true, start)
			}))
			f.built = &built{status: c.status, controller: "r-pfring-controller", now: now}
			r := f.report(now)
			n := r.Nodes[0]
			if n.State != c.state || r.Complete {
				t.Errorf("%+v", n)
			}
			for _, words := range c.words {
				if !strings.Contains(n.Message+"\n"+n.Remedy, words) {
					t.Errorf("no %q in %q, %q", words, n.Message, n.Remedy)
				}
			}
			if settled := r.Summary.settled(); settled != (c.state != Building) {
				t.Errorf("settled: %v", settled)
			}
			if s := r.Summary; s.OK+s.Fallback+s.Failed+s.Pending+s.Unknown+s.Building+s.BuildFailed+s.Unsupported != s.Wanted {
				t.Errorf("%+v does not add up", s)
			}
		})
	}
}

func TestOnlyASuppliedReleaseAsksWhatIsBuilt(t *testing.T) {
	f := factsOf(agentPod(func(p *corev1.Pod) {
		initStatus(p, ended0(outcome.NoModuleForKernel), corev1.ContainerState{})
		runStatus(p, runningSince(start), true, start)
	}))
	if n := f.report(now).Nodes[0]; n.State != Fallback {
		t.Errorf("%+v", n)
	}
}
