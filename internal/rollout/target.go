package rollout

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// pageSize is how many Node or Pod objects are in memory at once.
const pageSize = 500

// readTargets lists the nodes, each with why the release does not want it.
func (r *Release) readTargets(ctx context.Context, client kubernetes.Interface) (map[string]*target, error) {
	for restart := 0; ; restart++ {
		nodes, err := r.listTargets(ctx, client)
		if err == nil || !apierrors.IsResourceExpired(err) || restart == 3 {
			return nodes, err
		}
	}
}

func (r *Release) listTargets(ctx context.Context, client kubernetes.Interface) (map[string]*target, error) {
	nodes := map[string]*target{}
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.CoreV1().Nodes().List(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("listing nodes: %w", err)
		}
		for i := range page.Items {
			nodes[page.Items[i].Name] = r.target(&page.Items[i])
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nodes, nil
		}
	}
}

func (r *Release) target(n *corev1.Node) *target {
	info := n.Status.NodeInfo
	t := &target{name: n.Name, kernel: info.KernelVersion, arch: info.Architecture, bootID: info.BootID, labels: n.Labels}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			t.notReady, t.since = firstOf(c.Message, c.Reason, "no reason given"), c.LastTransitionTime.Time
		}
	}
	for _, have := range n.Spec.Taints {
		if have.Effect != corev1.TaintEffectPreferNoSchedule {
			t.taints = append(t.taints, taint{have.Key, have.Value, string(have.Effect)})
		}
	}
	switch keeping := untolerated(t.taints, r.tolerates); {
	case !r.targets.Match(n):
		t.excluded = "the release's node selector leaves it out"
	case keeping != "":
		t.excluded = "its taint " + keeping + " is not tolerated"
	}
	return t
}

// untolerated returns the first taint that no toleration covers, or "".
func untolerated(taints []taint, tolerations []corev1.Toleration) string {
	for _, t := range taints {
		covered := false
		for _, o := range tolerations {
			covered = covered || covers(o, t)
		}
		if !covered {
			return t.String()
		}
	}
	return ""
}

func covers(o corev1.Toleration, t taint) bool {
	if o.Effect != "" && string(o.Effect) != t.effect || o.Key != "" && o.Key != t.key {
		return false
	}
	return o.Operator == corev1.TolerationOpExists || (o.Operator == "" || o.Operator == corev1.TolerationOpEqual) && o.Value == t.value
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
