// Package release joins the values of a release, a cluster, and where modules come
// from: which nodes the release is for, how this machine gets at its module
// repository and registries, and what these have for the nodes. Commands and checks
// share it, so that the same values mean the same everywhere.
//
// It reads flags and prints nothing; whoever wants a report gives it values, nodes
// and an Access.
package release

import (
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Targets are the nodes that the values select, without those that the chart leaves
// out by itself. In kmm the Module's own selector goes before the terms that
// Kubeshark's workers have.
func Targets(tap valuesschema.Tap) (cluster.Targets, error) {
	k := tap.KernelModule
	limit, list := cluster.AgentNodes, tap.WorkerTerms()
	if k.Agent.Affinity != nil {
		limit, list = cluster.LinuxNodes, affinityTerms(k.Agent.Affinity)
	}
	if k.Mode == "kmm" && len(k.KMM.Selector) > 0 {
		return cluster.Targets{Labels: k.KMM.Selector, Limit: limit}, nil
	}
	terms, err := cluster.ParseTerms(list)
	return cluster.Targets{Terms: terms, Labels: k.Agent.NodeSelector, Limit: limit}, err
}

// affinityTerms are the node selector terms that the agent's own affinity requires.
func affinityTerms(affinity map[string]any) []any {
	node, _ := affinity["nodeAffinity"].(map[string]any)
	required, _ := node["requiredDuringSchedulingIgnoredDuringExecution"].(map[string]any)
	list, _ := required["nodeSelectorTerms"].([]any)
	return list
}
