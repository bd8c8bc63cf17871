package cluster

import (
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
)

// transient are the keys of taints that Kubernetes itself puts on a node for as
// long as a condition lasts. They say nothing of which nodes a release is for: a
// node that is down or cordoned for an hour is still meant to have the module.
// Source: https://kubernetes.io/docs/reference/labels-annotations-taints/
func transient() []string {
	return []string{
		corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeUnschedulable,
		corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure, corev1.TaintNodePIDPressure,
		corev1.TaintNodeNetworkUnavailable, corev1.TaintNodeOutOfService,
		"node.cloudprovider.kubernetes.io/uninitialized", "node.cloudprovider.kubernetes.io/shutdown",
	}
}

// Untolerated is the first taint that keeps a DaemonSet's pods with these
// tolerations away from a node for good; nil if there is none. It judges by
// Kubernetes' own rule, the numeric operators Gt and Lt included.
func Untolerated(taints []corev1.Taint, tolerations []corev1.Toleration) *corev1.Taint {
	for i := range taints {
		t := &taints[i]
		if t.Effect == corev1.TaintEffectPreferNoSchedule || slices.Contains(transient(), t.Key) {
			continue
		}
		if !slices.ContainsFunc(tolerations, func(o corev1.Toleration) bool { return o.ToleratesTaint(logr.Discard(), t, true) }) {
			return t
		}
	}
	return nil
}
