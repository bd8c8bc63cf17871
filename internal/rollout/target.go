package rollout

import (
	"cmp"
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// readTargets lists the nodes, each with why the release does not want it.
func (r *Release) readTargets(ctx context.Context, nodes cluster.NodeLister) (map[string]*target, error) {
	list, err := cluster.MapNodes(ctx, nodes, "", r.target)
	if err != nil {
		return nil, err
	}
	targets := make(map[string]*target, len(list))
	for _, t := range list {
		targets[t.name] = t
	}
	return targets, nil
}

func (r *Release) target(n *corev1.Node) *target {
	info := n.Status.NodeInfo
	plain := cluster.FromObject(n)
	t := &target{
		name: n.Name, kernel: plain.Kernel, arch: plain.Arch, bootID: info.BootID, labels: n.Labels,
		system: plain.OSImage, platform: plain.Platform,
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			t.notReady, t.since = cmp.Or(c.Message, c.Reason, "no reason given"), c.LastTransitionTime.Time
		}
	}
	for _, have := range n.Spec.Taints {
		if have.Effect != corev1.TaintEffectPreferNoSchedule {
			t.taints = append(t.taints, taint{have.Key, have.Value, string(have.Effect)})
		}
	}
	switch why, taintName := r.targets.LeavesOut(n), untolerated(t.taints, r.tolerates); {
	case why != "":
		t.excluded = "the release excludes it: " + why
	case taintName != "":
		t.excluded = "its taint " + taintName + " is not tolerated"
	}
	return t
}

// untolerated returns the first taint that keeps pods with these tolerations away
// for good, or "". What Kubernetes taints a node with for as long as a condition
// lasts, such as not-ready, is not among them: the node is wanted anyway.
func untolerated(taints []taint, tolerations []corev1.Toleration) string {
	for _, t := range taints {
		one := []corev1.Taint{{Key: t.key, Value: t.value, Effect: corev1.TaintEffect(t.effect)}}
		if cluster.Untolerated(one, tolerations) != nil {
			return t.String()
		}
	}
	return ""
}
