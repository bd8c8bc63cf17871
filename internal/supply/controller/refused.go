package controller

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// refusal tells whether an agent could not load what it was given, since its kernel
// is another build of the release than the module was made for.
func refusal(o outcome.Outcome) bool {
	return o.Backend != outcome.PFRing && (o.Reason == outcome.OtherBuild || o.Reason == outcome.SymbolMismatch)
}

// seeRefusals reports kernels whose module some node refuses. A Node object does not
// say which build of a release it runs (uname -v), so only an agent that has tried
// can tell. That agent is not started again: it would be given the same module.
func (r *reconciler) seeRefusals(ctx context.Context, l *look) error {
	if l.release == nil {
		return nil
	}
	pods, err := objectsOf[corev1.Pod](ctx, r.cache)
	if err != nil {
		return err
	}
	first := map[decide.Key]string{}
	why := map[decide.Key]outcome.Reason{}
	for _, p := range pods {
		o, ok := lastOutcome(p)
		key := decide.Key{Kernel: o.Kernel, Arch: o.Arch}
		if !ok || p.DeletionTimestamp != nil || !refusal(o) || !holds(l.index.list, key, o.Module) {
			continue
		}
		if before, found := first[key]; !found || p.Spec.NodeName < before {
			first[key], why[key] = p.Spec.NodeName, o.Reason
		}
	}
	for _, k := range l.plan.Kernels {
		key := decide.Key{Kernel: k.Kernel, Arch: k.Arch}
		if node, found := first[key]; found && k.State == supply.Built {
			l.problem(supply.OtherBuild, supply.OtherBuildRemedy,
				"node %s refuses the module for kernel %s on %s (%s): it runs another build of this kernel release (uname -v) than the one that the headers are of", node, k.Kernel, k.Arch, why[key])
		}
	}
	return nil
}

// holds tells whether the index lists for a kernel the very module that an agent has
// been given.
func holds(list []module.Entry, key decide.Key, m outcome.Module) bool {
	return slices.ContainsFunc(list, func(e module.Entry) bool { return keyOf(e) == key && e.SHA256 == m.SHA256 })
}

// replaced tells whether the index lists another module for a kernel than the one
// that an agent was given and could not load.
func replaced(list []module.Entry, o outcome.Outcome) bool {
	key := decide.Key{Kernel: o.Kernel, Arch: o.Arch}
	return refusal(o) && o.Module.SHA256 != "" && !holds(list, key, o.Module)
}
