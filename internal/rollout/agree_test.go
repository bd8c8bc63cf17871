package rollout

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/worldtest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ran is the state of a world's nodes after agents have run on all that get one.
func ran(w worldtest.World, source, supplied bool) *facts {
	f := factsOf()
	f.targets = map[string]*target{}
	if supplied {
		f.built = &built{status: w.Supply, controller: "c", now: now}
	}
	for _, n := range w.Nodes {
		f.targets[n.Name] = &target{name: n.Name, kernel: n.Kernel, arch: n.Arch, bootID: "b1", system: n.OSImage, platform: n.Platform}
		if n.Excluded {
			f.targets[n.Name].excluded = "left out"
			continue
		}
		judge := verdict.NewJudge()
		if judge.Refuses(n) != "" || n.Kernel == "" {
			continue // no agent starts there
		}
		reason := outcome.NoModuleForKernel
		if supplied && w.Supply != nil {
			if k := w.Supply.Find(n.Kernel, n.Arch); k != nil && verdict.Told(k).Present {
				reason = outcome.Loaded
			}
		}
		if a := w.Source(n.Kernel, n.Arch); source && a.Supported == verdict.Yes {
			reason = outcome.Loaded
		} else if source && a.Present && !supplied {
			reason = outcome.Reason(w.Refused)
		}
		p := agentPod(func(p *corev1.Pod) {
			p.Name, p.Spec.NodeName, p.UID = n.Name, n.Name, "u"+p.UID
			initStatus(p, ended0(reason), corev1.ContainerState{})
			runStatus(p, runningSince(start), true, start)
		})
		f.pods[n.Name] = p
	}
	return f
}

// What status says of a node without the module, and advises, is what compatibility
// said of it before.
func TestStatusSaysWhatCompatibilityForetold(t *testing.T) {
	worldtest.Check(t, func(t *rapid.T) {
		w := worldtest.Worlds().Draw(t, "world")
		source, supplied := rapid.Bool().Draw(t, "source"), rapid.Bool().Draw(t, "supplied")
		if !source && !supplied {
			source = true
		}
		foretold := map[string]compatibility.NodeResult{}
		for _, n := range w.Compatibility(worldtest.Values(source, supplied)).Nodes {
			foretold[n.Node] = n
		}
		for _, n := range ran(w, source, supplied).report(now).Nodes {
			c := foretold[n.Node]
			if source && supplied && w.Refused != "" && w.Source(n.Kernel, n.Arch).Present {
				continue // two causes hold at once, and each command names one
			}
			if why := contradiction(n, c); why != "" {
				t.Fatalf("%s\nstatus:        %+v\ncompatibility: %+v", why, n, c)
			}
		}
	})
}

// contradiction says in what a node's state differs from what compatibility said
// of the node; "" is in nothing.
func contradiction(n Node, c compatibility.NodeResult) string {
	switch {
	case n.Wanted != (c.Supported != verdict.Excluded):
		return "one of them leaves the node out"
	case c.Supported == verdict.CannotBeBuilt && c.Reason == verdict.BuildFailed && n.State != BuildFailed:
		return "the build has failed"
	case c.Supported == verdict.WillBeBuilt && n.State != Building:
		return "its module will be built"
	case n.State == BuildFailed && c.Supported != verdict.CannotBeBuilt, n.State == Unsupported && c.Supported != verdict.CannotBeBuilt:
		return "nothing has failed"
	case c.Supported == verdict.No && c.Reason == string(outcome.NoModuleForKernel) && (n.State != Fallback || n.Remedy != verdict.AnyKernel(c.Remedy, c.Kernel)):
		return "there is no module for its kernel"
	case (c.Reason == verdict.PlatformForbids || c.Reason == verdict.ArchUnsupported) && n.Remedy != c.Remedy:
		return "the node takes none"
	}
	return ""
}
