// Package cluster reads what this project needs to know of a live cluster, or
// of a file saved from one: its nodes, their kernels and what kind of node
// each is.
//
// It only reads. Matching kernels against a module repository is left to the
// caller, and nothing here knows values or charts.
package cluster

import (
	"cmp"
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Node is the part of a Node object that decides whether a kernel module fits
// it. It is small on purpose: a list of thousands must stay cheap.
type Node struct {
	Name string
	// Kernel is the kernel release, what uname -r prints.
	Kernel string
	// Arch and OS are GOARCH and GOOS names.
	Arch, OS string
	// OSImage is the distribution's own name for itself.
	OSImage  string
	Platform Platform
	Zone     string
	BootID   string
	// Ready is the node's Ready condition; Cordoned its spec.unschedulable.
	Ready, Cordoned bool
	// Excluded is true for a node that the caller's Targets leave out; LeftOut says
	// why, as a clause about the node, where that is known.
	Excluded bool
	LeftOut  string
}

// FromObject takes over what matters of a Node object.
func FromObject(n *corev1.Node) Node {
	info := n.Status.NodeInfo
	node := Node{
		Name:     n.Name,
		Kernel:   shared(info.KernelVersion),
		Arch:     shared(archOf(n)),
		OS:       shared(cmp.Or(info.OperatingSystem, n.Labels[corev1.LabelOSStable])),
		OSImage:  shared(oneLine(info.OSImage)),
		Platform: platformOf(n),
		Zone:     shared(n.Labels[corev1.LabelTopologyZone]),
		BootID:   info.BootID,
		Cordoned: n.Spec.Unschedulable,
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			node.Ready = c.Status == corev1.ConditionTrue
		}
	}
	return node
}

// archOf is the GOARCH name of a node's architecture, also where its kubelet, or what
// stands for one, has the name that uname -m prints.
func archOf(n *corev1.Node) string {
	name := cmp.Or(n.Status.NodeInfo.Architecture, n.Labels[corev1.LabelArchStable])
	if arch, err := module.ParseArch(name); err == nil {
		return arch
	}
	return name
}

// oneLine is a text without line breaks and control characters. Nearly all have none,
// and there are thousands.
func oneLine(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strings.TrimSpace(printout.Plain(s))
		}
	}
	return s
}

// shared keeps one copy of a string that thousands of nodes have in common.
func shared(s string) string { return unique.Make(s).Value() }
