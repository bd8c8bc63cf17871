package cluster_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func labelled(system, arch string, labels ...string) *corev1.Node {
	n := &corev1.Node{}
	n.Labels = map[string]string{}
	n.Status.NodeInfo.OperatingSystem, n.Status.NodeInfo.Architecture = system, arch
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		n.Labels[key] = value
	}
	return n
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		node          *corev1.Node
		limit         cluster.Limit
		labels, terms string
		why           string
	}{
		"an ordinary node":         {node: labelled("linux", "amd64"), limit: cluster.AgentNodes},
		"nothing reported yet":     {node: labelled("", ""), limit: cluster.AgentNodes},
		"Windows":                  {node: labelled("windows", "amd64"), limit: cluster.LinuxNodes, why: "it runs windows"},
		"another architecture":     {node: labelled("linux", "s390x"), limit: cluster.AgentNodes, why: "no agent for its architecture s390x"},
		"an affinity of one's own": {node: labelled("linux", "s390x"), limit: cluster.LinuxNodes},
		"Fargate":                  {node: labelled("linux", "amd64", "eks.amazonaws.com/compute-type=fargate"), limit: cluster.AgentNodes, why: "AWS Fargate"},
		"EKS Auto Mode":            {node: labelled("linux", "amd64", "eks.amazonaws.com/compute-type=auto"), limit: cluster.AgentNodes},
		"a virtual kubelet":        {node: labelled("linux", "amd64", "type=virtual-kubelet"), limit: cluster.AgentNodes, why: "virtual kubelet"},
		"kwok":                     {node: labelled("linux", "amd64", "type=kwok"), limit: cluster.AgentNodes, why: "kwok"},
		"Liqo":                     {node: labelled("linux", "amd64", "liqo.io/type=virtual-node"), limit: cluster.AgentNodes, why: "Liqo"},
		"a label":                  {node: labelled("linux", "amd64", "pool=web"), limit: cluster.AgentNodes, labels: "pool=capture", why: "it lacks the label pool=capture"},
		"a term":                   {node: labelled("linux", "amd64", "pool=web"), limit: cluster.AgentNodes, terms: "pool", why: "no term of the node affinity"},
		// What no setting helps against is reported first.
		"a label, on Fargate": {node: labelled("linux", "amd64", "eks.amazonaws.com/compute-type=fargate"), labels: "pool=capture", why: "AWS Fargate"},
	} {
		targets := cluster.Targets{Limit: test.limit}
		if key, value, found := strings.Cut(test.labels, "="); found {
			targets.Labels = map[string]string{key: value}
		}
		if test.terms != "" {
			targets.Terms = []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: test.terms, Operator: corev1.NodeSelectorOpIn, Values: []string{"capture"}}}}}
		}
		why := targets.LeavesOut(test.node)
		if (why == "") != (test.why == "") || !strings.Contains(why, test.why) || targets.Match(test.node) != (why == "") {
			t.Errorf("%s: %q", name, why)
		}
	}
	if why := (cluster.Targets{}).LeavesOut(labelled("windows", "s390x")); why != "" {
		t.Errorf("the zero value means every node: %q", why)
	}
}
