package prereq

import (
	"context"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// probeSignatures looks for kernels that take only signed modules. Where all of
// theirs are signed, it remains unknown whether they know the key.
func probeSignatures(ctx context.Context, e *env) Finding {
	r, err := e.probed(ctx)
	if err != nil {
		return unread("what the probe said", err)
	}
	find := e.moduleOf(ctx)
	var unsigned, signed, unclear []detail
	bad := 0
	all := answered(r, func(g probe.Result, p outcome.Probe) {
		switch need := p.Host.NeedsSignature(); {
		case need == outcome.Unknown:
			unclear = append(unclear, ofGroup(g, switches(p.Host)))
		case need == outcome.No:
		case find(g.Kernel, g.Arch).Signed:
			signed = append(signed, ofGroup(g, switches(p.Host)))
		default:
			unsigned = append(unsigned, ofGroup(g, switches(p.Host)))
			bad += g.Nodes
		}
	})
	sign := "Sign the modules with a key that is enrolled on these machines: pfring module sign-kernel, or sign in a kernel mapping."
	details := grouped(unsigned, signed, unclear)
	switch {
	case len(unsigned) > 0 && bad == all:
		return fail("signature-required", "every probed kernel loads only signed modules", sign, details...)
	case len(unsigned) > 0:
		return warn("signature-required", fmt.Sprintf("%d of %d nodes load only signed modules and stay on libpcap", bad, all), sign, details...)
	case len(signed) > 0:
		return warn("signing-key-unclear", "some kernels load only signed modules; the modules are signed, but whether these kernels trust the key shows only when one is loaded",
			"Make sure that the key is enrolled: mokutil --list-enrolled on a node.", details...)
	case len(unclear) > 0:
		return warn("lockdown-unknown", e.unseen(r), "Probe from a namespace that admits a read-only hostPath of /sys, or run on a node: cat /sys/kernel/security/lockdown", details...)
	}
	return ok(fmt.Sprintf("no lockdown and no enforced signature on %s", text.CountOrNo(all, "node")))
}

// unseen says why lockdown is not known.
func (e *env) unseen(r *probe.Report) string {
	if r.Restricted != "" {
		return "lockdown and Secure Boot are unknown: the namespace " + e.Namespace + " refuses pods that see the host's /sys (" + r.Restricted + ")"
	}
	return "lockdown or enforced signatures are unknown on some nodes: their kernel does not report them"
}

// moduleOf answers for the module of auto's repository; in kmm alone nothing is
// known of the modules in images.
func (e *env) moduleOf(ctx context.Context) compatibility.Lookup {
	none := func(string, string) compatibility.Answer { return compatibility.Answer{} }
	if e.target(ModeAuto) == nil || e.elsewhere() != "" || e.ReadSource == nil {
		return none
	}
	r, err := e.repository(ctx)
	if err != nil {
		return none
	}
	return r.Lookup(ctx)
}

// switches are what a kernel says of signatures, in words.
func switches(h outcome.ProbeHost) string {
	return fmt.Sprintf("lockdown %s, sig_enforce %s, Secure Boot %s", h.Lockdown, h.SigEnforce, h.SecureBoot)
}

func probeLoaded(ctx context.Context, e *env) Finding {
	r, err := e.probed(ctx)
	if err != nil {
		return unread("what the probe said", err)
	}
	find := e.moduleOf(ctx)
	var different, same []detail
	all := answered(r, func(g probe.Result, p outcome.Probe) {
		if p.Loaded == nil {
			return
		}
		seen := fmt.Sprintf("PF_RING %s is loaded, used by %d", p.Loaded.Version, p.Loaded.Refs)
		if want := find(g.Kernel, g.Arch).Version; want != "" && want != p.Loaded.Version {
			different = append(different, ofGroup(g, seen+"; the repository has "+want))
			return
		}
		same = append(same, ofGroup(g, seen))
	})
	replace := e.target(ModeAuto) != nil && e.target(ModeAuto).Values.Tap.KernelModule.ReplaceLoaded
	switch {
	case len(different) > 0 && !replace:
		return warn("other-version-loaded", "another version of PF_RING is loaded and would be left in place",
			"Set tap.kernelModule.replaceLoaded to let the agent replace it when unused, or pin source.version to it.", grouped(different, same)...)
	case len(different)+len(same) > 0:
		return ok("PF_RING is already loaded on some nodes", grouped(different, same)...)
	}
	return ok(fmt.Sprintf("none on %s", text.CountOrNo(all, "node")))
}
