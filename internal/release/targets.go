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

// Targets are the nodes that the values select. In kmm the Module's own selector
// goes before the terms that Kubeshark's workers have.
func Targets(tap valuesschema.Tap) (cluster.Targets, error) {
	k := tap.KernelModule
	if k.Mode == "kmm" && len(k.KMM.Selector) > 0 {
		return cluster.Targets{Labels: k.KMM.Selector}, nil
	}
	terms, err := cluster.ParseTerms(tap.WorkerTerms())
	return cluster.Targets{Terms: terms, Labels: k.Agent.NodeSelector}, err
}
