package cluster

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

// Limit is what the chart asks of a node beside what the values select.
type Limit int

// The limits.
const (
	// AllNodes asks nothing.
	AllNodes Limit = iota
	// LinuxNodes is what the chart asks for always.
	LinuxNodes
	// AgentNodes are those on which the agent can run at all, which is what the
	// chart's default affinity asks for (its template _scheduling.tpl).
	AgentNodes
)

// leavesOut says why a node is not within the limit, as a clause about the node; ""
// if it is. What a node has not reported yet is held for good.
func (l Limit) leavesOut(n *corev1.Node) string {
	info := n.Status.NodeInfo
	system := cmp.Or(info.OperatingSystem, n.Labels[corev1.LabelOSStable])
	if l == AllNodes {
		return ""
	}
	if system != "" && system != "linux" {
		return "it runs " + system
	}
	if l == LinuxNodes {
		return ""
	}
	arch := archOf(n)
	switch kind := n.Labels["type"]; {
	case n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "it is of AWS Fargate, which runs no DaemonSet"
	case kind == "virtual-kubelet":
		return "it is a virtual kubelet, without its own kernel"
	case kind == "kwok":
		return "it is simulated by kwok, and runs nothing"
	case n.Labels["liqo.io/type"] == "virtual-node":
		return "it represents another cluster (Liqo), without its own kernel"
	case arch != "" && arch != "amd64" && arch != "arm64":
		return "there is no agent for its architecture " + arch
	}
	return ""
}
