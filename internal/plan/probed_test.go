package plan_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func result(zone string, host outcome.ProbeHost, targets ...outcome.ProbeTarget) probe.Result {
	return probe.Result{
		Group: probe.Group{Kernel: there, Arch: "amd64", Zone: zone, Nodes: 2}, Node: "n-" + zone,
		Report: &outcome.Probe{Host: host, Targets: targets},
	}
}

func TestTheWorstThatAZoneSawCounts(t *testing.T) {
	well := outcome.ProbeHost{Modules: "yes", ModulesDisabled: "no", Lockdown: "none", SigEnforce: "no"}
	locked, disabled := well, well
	locked.Lockdown, disabled.ModulesDisabled = "integrity", "yes"
	source := func(reason outcome.Reason) outcome.ProbeTarget {
		return outcome.ProbeTarget{Kind: outcome.TargetSource, OK: reason == "", Reason: reason, Message: "m"}
	}
	for name, test := range map[string]struct {
		results []probe.Result
		want    plan.Seen
	}{
		"all well":               {[]probe.Result{result("a", well, source("")), result("b", well, source(""))}, plan.Seen{Nodes: 4, Signed: "no", AskedSource: true}},
		"one zone is locked":     {[]probe.Result{result("a", well), result("b", locked)}, plan.Seen{Nodes: 4, Signed: "yes"}},
		"one zone is unknown":    {[]probe.Result{result("a", well), result("b", outcome.ProbeHost{Modules: "yes"})}, plan.Seen{Nodes: 4, Signed: "unknown"}},
		"locked before unknown":  {[]probe.Result{result("a", locked), result("b", outcome.ProbeHost{Modules: "yes"})}, plan.Seen{Nodes: 4, Signed: "yes"}},
		"one zone is cut off":    {[]probe.Result{result("a", well, source("")), result("b", well, source(outcome.SourceTimeout))}, plan.Seen{Nodes: 4, Signed: "no", AskedSource: true, Source: "m (source-timeout, seen on n-b)"}},
		"both are":               {[]probe.Result{result("a", well, source(outcome.SourceTimeout))}, plan.Seen{Nodes: 2, Signed: "no", AskedSource: true, Source: "m (source-timeout, seen on n-a)", CutOff: true}},
		"a refusal is an answer": {[]probe.Result{result("a", well, source(outcome.SourceForbidden))}, plan.Seen{Nodes: 2, Signed: "no", AskedSource: true, Source: "m (source-forbidden, seen on n-a)"}},
		"disabled":               {[]probe.Result{result("a", disabled)}, plan.Seen{Nodes: 2, Signed: "no", TakesNone: "kernel.modules_disabled is 1 there"}},
	} {
		test.want.Kernel, test.want.Arch = there, "amd64"
		got := plan.FromProbe(&probe.Report{Results: append(test.results, probe.Result{Group: probe.Group{Kernel: "silent"}})})
		if len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}
