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

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

// Lookup answers for exactly one kernel release and GOARCH architecture.
type Lookup = verdict.Lookup

// Answer is what a repository or the mappings say about one kernel.
type Answer = verdict.Answer

type key struct{ kernel, arch string }

// Match answers for all nodes. It asks find once for each kernel and
// architecture, and sorts nodes and kernels as a person would.
func Match(nodes []cluster.Node, find Lookup) Report {
	judge := verdict.NewJudge()
	answers, stalling := ask(nodes, judge, find)
	kernels := map[key]*KernelResult{}
	report := Report{SchemaVersion: 1, Subject: subjectCluster, Kernels: []KernelResult{}, Nodes: make([]NodeResult, 0, len(nodes))}
	for _, n := range nodes {
		k := key{n.Kernel, n.Arch}
		sum := kernels[k]
		if sum == nil {
			sum = &KernelResult{Kernel: n.Kernel, Arch: n.Arch}
			kernels[k] = sum
		}
		result := resultOf(n, judge.Node(n, stalledBy(answers[k], stalling)))
		sum.add(result)
		report.Totals.add(result.Supported)
		report.Nodes = append(report.Nodes, result)
	}
	for _, sum := range kernels {
		report.Kernels = append(report.Kernels, *sum)
	}
	slices.SortFunc(report.Nodes, func(a, b NodeResult) int { return text.Natural(a.Node, b.Node) })
	slices.SortFunc(report.Kernels, func(a, b KernelResult) int {
		return cmp.Or(text.Natural(a.Kernel, b.Kernel), cmp.Compare(a.Arch, b.Arch))
	})
	return report
}

// ask asks find about each kernel that matters, once. stalling is one on which KMM
// fails, or "".
func ask(nodes []cluster.Node, judge *verdict.Judge, find Lookup) (answers map[key]Answer, stalling string) {
	answers = map[key]Answer{}
	for _, n := range nodes {
		k := key{n.Kernel, n.Arch}
		if _, asked := answers[k]; asked || !judge.Asks(n) {
			continue
		}
		a := find(n.Kernel, n.Arch)
		if answers[k] = a; a.Stalls {
			stalling = n.Kernel
		}
	}
	return answers, stalling
}

// resultOf is a verdict with what the report shows of its node.
func resultOf(n cluster.Node, v verdict.Verdict) NodeResult {
	return NodeResult{
		Node: n.Name, Kernel: n.Kernel, Supported: v.Supported, Arch: n.Arch, OS: cmp.Or(n.OSImage, n.OS), Platform: string(n.Platform),
		Present: v.Present, Signed: v.Signed, Version: v.Version, Mapping: v.Mapping, Image: v.Image,
		Reason: v.Reason, Message: v.Message, Remedy: v.Remedy, Ready: n.Ready, Zone: n.Zone, Source: v.Source,
	}
}

// stalledBy is the answer where KMM fails on another node's kernel, "" for none.
func stalledBy(a Answer, kernel string) Answer {
	if kernel == "" || a.Stalls || a.Mapping == "" || a.Supported == No {
		return a
	}
	a.Supported, a.Reason = No, ReasonModuleStalled
	a.Message = "KMM fails on the kernel release " + kernel + " of another node, and then does nothing for the whole Module."
	a.Remedy = stallRemedy
	return a
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
	if n.Reason != "" && (k.Reason == "" || k.Reason == verdict.PlatformForbids || k.Reason == verdict.NotSelected) {
		k.Reason, k.Message, k.Remedy = n.Reason, n.Message, n.Remedy
	}
}
