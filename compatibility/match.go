// Package compatibility says which nodes of a cluster can have the PF_RING
// module: it matches their kernels against what a module repository holds and
// prints the answer in every form that people and pipelines ask for.
//
// It neither reads the cluster nor the repository; both come in as data.
package compatibility

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/cluster"
)

// Supported is the answer for one node.
type Supported string

// The three answers. Unknown stands where the Node object does not tell.
const (
	Yes     Supported = "yes"
	No      Supported = "no"
	Unknown Supported = "unknown"
)

// Lookup finds the module for exactly one kernel release and GOARCH
// architecture and returns its PF_RING version.
type Lookup func(kernel, arch string) (version string, found bool)

// NodeResult is the answer for one node.
type NodeResult struct {
	Node      string    `json:"node"`
	Kernel    string    `json:"kernelVersion"`
	Supported Supported `json:"supported"`
	Arch      string    `json:"architecture"`
	OS        string    `json:"os"`
	Platform  string    `json:"platform,omitempty"`
	// Version is PF_RING's; empty when the repository has no module.
	Version string `json:"pfRingVersion,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	Source  string `json:"source,omitempty"`
}

// KernelResult sums up the nodes that share kernel release and architecture.
type KernelResult struct {
	Kernel  string `json:"kernelVersion"`
	Arch    string `json:"architecture"`
	Nodes   int    `json:"nodes"`
	Yes     int    `json:"supported"`
	No      int    `json:"unsupported"`
	Unknown int    `json:"unknown"`
	Version string `json:"pfRingVersion,omitempty"`
	// Remedy is the command that makes the missing module.
	Remedy string `json:"remedy,omitempty"`
}

// Report is the answer for a cluster.
type Report struct {
	// Compatible is true when every node is supported.
	Compatible bool `json:"compatible"`
	// Source is the repository that was asked, without secrets.
	Source  string         `json:"source"`
	Kernels []KernelResult `json:"kernels"`
	Nodes   []NodeResult   `json:"nodes"`
}

// Match answers for all nodes. It asks find once for each kernel and
// architecture, and sorts nodes by name and kernels by release.
func Match(nodes []cluster.Node, source string, find Lookup) Report {
	type key struct{ kernel, arch string }
	kernels := map[key]*KernelResult{}
	report := Report{Compatible: len(nodes) > 0, Source: source}
	for _, n := range nodes {
		k := key{n.Kernel, n.Arch}
		sum := kernels[k]
		if sum == nil {
			sum = &KernelResult{Kernel: n.Kernel, Arch: n.Arch}
			sum.Version, _ = find(n.Kernel, n.Arch)
			kernels[k] = sum
		}
		result := judge(n, sum.Version)
		sum.add(result)
		report.Compatible = report.Compatible && result.Supported == Yes
		report.Nodes = append(report.Nodes, result)
	}
	for _, sum := range kernels {
		report.Kernels = append(report.Kernels, *sum)
	}
	slices.SortFunc(report.Nodes, func(a, b NodeResult) int { return cmp.Compare(a.Node, b.Node) })
	slices.SortFunc(report.Kernels, func(a, b KernelResult) int {
		return cmp.Or(cmp.Compare(a.Kernel, b.Kernel), cmp.Compare(a.Arch, b.Arch))
	})
	return report
}

func (k *KernelResult) add(n NodeResult) {
	k.Nodes++
	switch n.Supported {
	case Yes:
		k.Yes++
	case No:
		k.No++
	case Unknown:
		k.Unknown++
	}
	if k.Remedy == "" {
		k.Remedy = n.Remedy
	}
}

// judge decides for one node: what its platform forbids comes first, since no
// module helps there.
func judge(n cluster.Node, version string) NodeResult {
	info := n.Platform.Describe()
	r := NodeResult{
		Node: n.Name, Kernel: n.Kernel, Arch: n.Arch, OS: n.OSImage, Platform: string(n.Platform), Version: version,
		Supported: Yes,
	}
	if r.OS == "" {
		r.OS = n.OS
	}
	switch {
	case info.Policy == cluster.Never:
		r.Supported, r.Reason, r.Remedy, r.Source = No, info.Name+": "+info.Why, info.Remedy, info.Source
	case n.Kernel == "" || n.Arch == "":
		r.Supported, r.Reason = Unknown, "The node has not reported its kernel."
		r.Remedy = "Wait for its kubelet, or look at it: kubectl describe node " + n.Name
	case version == "":
		r.Supported, r.Reason = No, fmt.Sprintf("The repository has no module for %s on %s.", n.Kernel, n.Arch)
		r.Remedy = "Build PF_RING against this kernel's headers and add it to the repository: pfring module index DIR"
	case info.Policy == cluster.SignedOnly || info.Policy == cluster.Unclear:
		r.Supported, r.Reason, r.Remedy, r.Source = Unknown, info.Name+": "+info.Why, info.Remedy, info.Source
	}
	return r
}
