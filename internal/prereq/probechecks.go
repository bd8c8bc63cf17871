package prereq

import (
	"context"
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// notTested is what the lines of egress say without --probe: what was tried
// from here says nothing of the nodes.
const notTested = "not tested from the nodes. --probe tests it, with a Job for each kernel, architecture and zone"

// probeLimit is above any --probe-timeout that makes sense: that bounds the
// Jobs, and after it they are still to be removed.
const probeLimit = 6 * time.Hour

func probeChecks() []Check {
	ran := []string{"probe.ran"}
	list := []Check{
		{
			ID: "probe.rights", Title: "you may probe the nodes", Needs: []string{"api.reachable"}, probing: true,
			Why:  "The probe creates Jobs in the release's namespace and removes them again.",
			look: mayProbe,
		},
		{
			ID: "probe.ran", Title: "the agent's probe ran on a node of each kernel, architecture and zone", probing: true,
			Needs: []string{"probe.rights", "nodes.selected", "namespace.exists"},
			Why:   "Where the probe cannot run, nothing is known about the nodes, and the agent usually cannot run either.",
			limit: probeLimit, look: probeRan,
		},
		{
			ID: "probe.modules", Title: "the kernels load modules", Needs: ran, probing: true,
			Why:  "A kernel without module support loads nothing. With kernel.modules_disabled set, it loads nothing until the next boot.",
			look: withReport(probeModules),
		},
		{
			ID: "probe.signatures", Title: "no kernel requires a signed module", Needs: ran, probing: true,
			Why:  "Under Secure Boot, lockdown or module.sig_enforce a kernel loads only modules that are signed with a key it trusts.",
			look: probeSignatures,
		},
		{
			ID: "probe.loaded", Title: "no other PF_RING is loaded", Needs: ran, probing: true,
			Why:  "Another version is left in place, unless replaceLoaded is set and nothing uses it.",
			look: probeLoaded,
		},
		{
			ID: "egress.source", Mode: ModeAuto, Title: "the nodes reach the module repository", Needs: ran,
			Why:  "Each node fetches its module there, through the pod network and the proxy of the values.",
			look: withReport(func(e *env, r *probe.Report) Finding { return egress(e, r, outcome.TargetSource) }),
		},
		{
			ID: "egress.registries", Mode: ModeKMM, Title: "pods on the nodes reach the registries of the module images", Needs: ran,
			Why:  "KMM's images come from there. This check uses the pod network; the kubelet pulls through the node's network.",
			look: withReport(func(e *env, r *probe.Report) Finding { return egress(e, r, outcome.TargetRegistry) }),
		},
	}
	list = append(list, Check{
		ID: "egress.builds", Mode: ModeAuto, supplying: true, Title: "pods on the nodes reach what builds fetch", Needs: ran,
		Why:  "A build installs compiler and kernel headers from the distribution's packages, and fetches PF_RING's source.",
		look: egressOfBuilds,
	})
	for i := range list {
		list[i].look = onlyProbing(list[i].look)
	}
	return list
}

// onlyProbing says of a check that it was not made, where no probe is wanted.
func onlyProbing(look func(context.Context, *env) Finding) func(context.Context, *env) Finding {
	return func(ctx context.Context, e *env) Finding {
		if e.Probe == nil {
			return skip(notTested)
		}
		return look(ctx, e)
	}
}

// withReport makes a look of one that reads the probe's report alone.
func withReport(look func(*env, *probe.Report) Finding) func(context.Context, *env) Finding {
	return func(ctx context.Context, e *env) Finding {
		r, err := e.probed(ctx)
		if err != nil {
			return unread("what the probe said", err)
		}
		return look(e, r)
	}
}

func mayProbe(ctx context.Context, e *env) Finding {
	ns := e.Namespace
	return e.review(ctx, []right{
		{"create", "batch", "jobs", ns}, {"list", "batch", "jobs", ns}, {"delete", "batch", "jobs", ns},
		{"list", "", "pods", ns},
	}, "missing-probe-rights", fail, "Ask for the ClusterRole pfring-probe (deploy/rbac), bound in this namespace.")
}

func probeRan(ctx context.Context, e *env) Finding {
	r, err := e.probed(ctx)
	if err != nil {
		return unread("what the nodes say", err)
	}
	var missing []detail
	var notes []string
	nodes, seen := 0, 0
	for _, g := range r.Results {
		nodes += g.Nodes
		for _, f := range g.Failed {
			said := fmt.Sprintf("%s [%s]", f.Message, f.Reason)
			if g.Report != nil {
				said += "; it ran on " + g.Node + " instead"
			}
			missing = append(missing, about(fmt.Sprintf("%s (%s)", orNode(f.Node), g.Group), said))
		}
		if g.Report != nil {
			seen++
		}
	}
	if r.DefaultAccount {
		notes = append(notes, "with the namespace's default ServiceAccount, since the agent's does not exist yet")
	}
	if r.Left != nil {
		notes = append(notes, "Jobs could not be removed; they expire after some minutes: "+plain(r.Left))
	}
	observed := fmt.Sprintf("it ran for %d of %s of %s", seen, text.CountOrNo(len(r.Results), "group"), text.CountOrNo(nodes, "node"))
	remedy := "Fix the reasons in brackets (docs/checks.md), which affect the agent's pods too."
	switch {
	case len(r.Results) == 0:
		return skip("no selected node can load a module")
	case seen == 0:
		return fail("probe-impossible", "the probe ran on no node", remedy, append(grouped(missing), notes...)...)
	case seen < len(r.Results):
		return warn("probe-incomplete", observed, remedy, append(grouped(missing), notes...)...)
	case r.Left != nil:
		return warn("jobs-left", observed, "Remove them, or wait: kubectl delete jobs -l app.kubernetes.io/component=probe -n "+e.Namespace, append(grouped(missing), notes...)...)
	}
	return ok(observed, append(grouped(missing), notes...)...)
}

// orNode is a node's name, or a word for none.
func orNode(name string) string {
	if name == "" {
		return "any node"
	}
	return name
}

// answered goes through the groups that have a report.
func answered(r *probe.Report, visit func(probe.Result, outcome.Probe)) (nodes int) {
	for _, g := range r.Results {
		if g.Report != nil {
			nodes += g.Nodes
			visit(g, *g.Report)
		}
	}
	return nodes
}

// ofGroup is what was seen on a group, with how many nodes it represents.
func ofGroup(g probe.Result, seen string) detail {
	return about(fmt.Sprintf("%s (%s, seen on %s)", g.Group, text.CountOrNo(g.Nodes, "node"), g.Node), seen)
}

func probeModules(_ *env, r *probe.Report) Finding {
	var none []detail
	bad := 0
	all := answered(r, func(g probe.Result, p outcome.Probe) {
		var seen string
		switch {
		case p.Host.Modules == outcome.No:
			seen = "this kernel does not support modules"
		case p.Host.ModulesDisabled == outcome.Yes:
			seen = "kernel.modules_disabled is 1"
		case p.Host.MayLoad == outcome.No && p.Host.Reason != "":
			seen = "it refuses modules: " + string(p.Host.Reason)
		default:
			return
		}
		none = append(none, ofGroup(g, seen))
		bad += g.Nodes
	})
	remedy := "Boot these nodes with another kernel or without the sysctl, or exclude them with tap.nodeSelectorTerms; they capture with libpcap."
	switch {
	case bad == all:
		return fail("kernel-takes-no-module", "no probed kernel loads a module", remedy, grouped(none)...)
	case bad > 0:
		return warn("kernel-takes-no-module", fmt.Sprintf("%d of %d nodes load none and stay on libpcap", bad, all), remedy, grouped(none)...)
	}
	return ok(fmt.Sprintf("according to those on %s", text.CountOrNo(all, "node")))
}

// egress sums up one kind of target.
func egress(e *env, r *probe.Report, kind string) Finding {
	var lines []detail
	first := outcome.ProbeTarget{}
	asked, bad, all := 0, 0, 0
	answered(r, func(g probe.Result, p outcome.Probe) {
		all += g.Nodes
		failed := false
		for _, t := range p.Targets {
			switch {
			case t.Kind == kind && t.OK:
				asked++
			case t.Kind == kind:
				asked++
				failed = true
				lines = append(lines, ofGroup(g, fmt.Sprintf("%s [%s]", t.Message, t.Reason)))
				if first.Reason == "" {
					first = t
				}
			}
		}
		if failed {
			bad += g.Nodes
		}
	})
	switch {
	case asked == 0:
		return skip("the pods had nothing to check: " + e.noTarget(kind, r))
	case bad == all:
		return fail(string(first.Reason), "no node can reach it", egressRemedy(e, kind, first), grouped(lines)...)
	case bad > 0:
		return warn(string(first.Reason), fmt.Sprintf("%d of %d nodes cannot reach it", bad, all), egressRemedy(e, kind, first), grouped(lines)...)
	}
	return ok(fmt.Sprintf("according to probe pods on %s", text.CountOrNo(all, "node")))
}

// noTarget says why nothing was asked.
func (e *env) noTarget(kind string, r *probe.Report) string {
	switch {
	case kind == outcome.TargetRegistry:
		return "no mapping names a registry"
	case e.onNodesOnly() && r.Restricted != "":
		return "the source is a volume, and the namespace refuses pods that see the host"
	}
	if e.Options.supplied() {
		return "modules come from the controller, which is not installed yet"
	}
	return "there is no source"
}

// egressRemedy is what to do about the first failure.
func egressRemedy(e *env, kind string, t outcome.ProbeTarget) string {
	switch {
	case kind == outcome.TargetRegistry:
		return "Allow egress to the registry, or use a registry that the nodes can reach: pfring plan --no-egress shows which way fits."
	case t.Reason == outcome.SourceUnreachable || t.Reason == outcome.SourceTimeout:
		remedy := "Allow egress from the pods (DNS, NetworkPolicy, firewall), set tap.kernelModule.source.proxy, or keep a copy inside: pfring module mirror."
		if e.target(ModeAuto) != nil && len(e.target(ModeAuto).ofKind("NetworkPolicy")) > 0 {
			remedy += " The chart's NetworkPolicies, which allow it, do not select the pods of the probe."
		}
		return remedy
	}
	if info, known := outcome.Describe(t.Reason); known && info.Remedy != "" {
		return info.Remedy
	}
	return "Fix what the nodes report."
}
