// Package compatibility says which nodes of a cluster can have the PF_RING
// module: it matches their kernels against what a module repository holds, or
// against KMM's kernel mappings, and prints the answer in every form that
// people and pipelines ask for.
//
// Reading the cluster is left to package cluster, loading to the agent and KMM.
package compatibility

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// Lookup answers for exactly one kernel release and GOARCH architecture.
type Lookup func(kernel, arch string) Answer

// Answer is what a repository or the mappings say about one kernel.
type Answer struct {
	// Supported is Unknown where one cannot tell.
	Supported Supported
	// Present says that there is a module, whether or not a node takes it.
	Present bool
	// Version is PF_RING's; empty when unknown or when there is no module.
	Version string
	// Signed says that the module has a kernel module signature.
	Signed bool
	// Mapping and Image are KMM's for this kernel.
	Mapping, Image string
	// Reason is one of the reason codes below or of package outcome; Message
	// and Remedy are a sentence each.
	Reason, Message, Remedy string
	// Stalls says that KMM fails on this kernel, and with it on all others that
	// have a mapping.
	Stalls bool
}

// Match answers for all nodes. It asks find once for each kernel and
// architecture, and sorts nodes by name and kernels by release.
func Match(nodes []cluster.Node, find Lookup) Report {
	type key struct{ kernel, arch string }
	kernels := map[key]*KernelResult{}
	answers := map[key]Answer{}
	platforms := map[cluster.Platform]cluster.PlatformInfo{}
	report := Report{SchemaVersion: 1, Subject: SubjectCluster, Kernels: []KernelResult{}, Nodes: make([]NodeResult, 0, len(nodes))}
	stalling := ""
	for _, n := range nodes {
		if _, ok := platforms[n.Platform]; !ok {
			platforms[n.Platform] = n.Platform.Describe()
		}
		k := key{n.Kernel, n.Arch}
		if _, asked := answers[k]; asked || !asks(n, platforms[n.Platform]) {
			continue
		}
		answers[k] = find(n.Kernel, n.Arch)
		if answers[k].Stalls {
			stalling = n.Kernel
		}
	}
	for _, n := range nodes {
		k := key{n.Kernel, n.Arch}
		if kernels[k] == nil {
			kernels[k] = &KernelResult{Kernel: n.Kernel, Arch: n.Arch}
		}
		result := judge(n, platforms[n.Platform], answers[k].stalledBy(stalling))
		kernels[k].add(result)
		report.Totals.add(result.Supported)
		report.Nodes = append(report.Nodes, result)
	}
	for _, sum := range kernels {
		report.Kernels = append(report.Kernels, *sum)
	}
	slices.SortFunc(report.Nodes, func(a, b NodeResult) int { return cmp.Compare(a.Node, b.Node) })
	slices.SortFunc(report.Kernels, func(a, b KernelResult) int {
		return cmp.Or(cmp.Compare(a.Kernel, b.Kernel), cmp.Compare(a.Arch, b.Arch))
	})
	t := report.Totals
	report.Compatible = t.Yes > 0 && t.No == 0 && t.Unknown == 0
	return report
}

// stalledBy is the answer where KMM fails on another node's kernel, "" for none.
func (a Answer) stalledBy(kernel string) Answer {
	if kernel == "" || a.Stalls || a.Mapping == "" || a.Supported == No {
		return a
	}
	a.Supported, a.Reason = No, ReasonModuleStalled
	a.Message = "KMM fails on the kernel release " + kernel + " of another node, and does nothing for the whole Module until that is solved."
	a.Remedy = stallRemedy
	return a
}

// asks tells whether it matters what the source has for n's kernel.
func asks(n cluster.Node, info cluster.PlatformInfo) bool {
	return n.Kernel != "" && n.Arch != "" && !n.Excluded && info.Policy != cluster.Never
}

func (k *KernelResult) add(n NodeResult) {
	k.Nodes++
	k.Totals.add(n.Supported)
	if k.Version == "" {
		k.Version = n.Version
	}
	if k.Mapping == "" {
		k.Mapping, k.Image = n.Mapping, n.Image
	}
	// What is missing for a node that could be helped is of more use than why
	// another cannot be.
	if n.Reason != "" && (k.Reason == "" || k.Reason == ReasonPlatformForbids || k.Reason == ReasonNotSelected) {
		k.Reason, k.Message, k.Remedy = n.Reason, n.Message, n.Remedy
	}
}

// about says why a platform is special, beginning with its name.
func about(info cluster.PlatformInfo) string {
	if first, _, _ := strings.Cut(info.Name, " "); strings.HasPrefix(info.Why, first) {
		return info.Why
	}
	return info.Name + ": " + info.Why
}

// judge decides for one node: what its platform forbids comes first, since no
// module helps there.
func judge(n cluster.Node, info cluster.PlatformInfo, a Answer) NodeResult {
	r := NodeResult{
		Node: n.Name, Kernel: n.Kernel, Supported: a.Supported, Arch: n.Arch, OS: n.OSImage, Platform: string(n.Platform),
		Present: a.Present, Signed: a.Signed, Version: a.Version, Mapping: a.Mapping, Image: a.Image,
		Reason: a.Reason, Message: a.Message, Remedy: a.Remedy, Ready: n.Ready, Zone: n.Zone,
	}
	if r.OS == "" {
		r.OS = n.OS
	}
	say := func(s Supported, reason, message, remedy string) {
		r.Supported, r.Reason, r.Message, r.Remedy, r.Source = s, reason, message, remedy, info.Source
	}
	switch {
	case n.Excluded:
		say(Excluded, ReasonNotSelected, "The values do not select this node.", "")
		r.Source = ""
	case info.Policy == cluster.Never:
		say(No, ReasonPlatformForbids, about(info), info.Remedy)
	case n.Kernel == "" || n.Arch == "":
		say(Unknown, ReasonNotReported, "The node has not reported its kernel.",
			"Wait for its kubelet, or look at it: kubectl describe node "+n.Name)
	case info.Policy == cluster.SignedOnly && a.Supported == Yes && !a.Signed:
		say(No, ReasonPlatformSigned, about(info), info.Remedy)
	case info.Policy == cluster.SignedOnly && a.Supported == Yes:
		say(Unknown, ReasonPlatformUnclear, about(info)+" Whether this kernel knows the key of the module's signature, a Node does not tell.", info.Remedy)
	case info.Policy == cluster.Unclear && a.Supported == Yes:
		say(Unknown, ReasonPlatformUnclear, about(info), info.Remedy)
	case n.Platform != cluster.Generic && a.Supported == No:
		r.Remedy, r.Source = info.Remedy, info.Source
	case n.Platform != cluster.Generic && r.Message == "":
		r.Message, r.Source = about(info), info.Source
	}
	return r
}
