package prereq

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

func nodeChecks() []Check {
	listed := []string{"api.reachable", "nodes.selected"}
	return []Check{
		{
			ID: "nodes.selected", Title: "nodes are selected", Needs: []string{"api.reachable"},
			Why:  "A DaemonSet without nodes is ready at once, although nothing is loaded anywhere.",
			look: nodesSelected,
		},
		{
			ID: "nodes.ready", Title: "the selected nodes are ready", Needs: listed,
			Why:  "helm --wait waits for every node that the DaemonSet selects, including nodes that are down.",
			look: nodesReady,
		},
		{
			ID: "nodes.taints", Title: "the selected nodes' taints are tolerated", Needs: listed,
			Why:  "A node with a taint that the agent does not tolerate silently gets no module.",
			look: nodesTaints,
		},
		{
			ID: "nodes.platform", Title: "the selected nodes can load kernel modules", Needs: listed,
			Why:  "Some systems load no module, or only modules that their vendor signed, regardless of permissions.",
			look: nodesPlatform,
		},
		{
			ID: "nodes.overlap", Title: "no other release or Module loads pf_ring on the same nodes", Needs: listed,
			Why:  "A kernel has one pf_ring module; two owners replace and unload each other's module.",
			look: nodesOverlap,
		},
		{
			ID: "nodes.capture", Title: "Kubeshark's workers look for PF_RING", Needs: []string{"api.reachable"},
			Why:  "A worker that captures with af_packet or ebpf does not use the module.",
			look: nodesCapture,
		},
	}
}

// node is what the checks need of a Node object.
type node struct {
	cluster.Node
	taints []corev1.Taint
	labels map[string]string
	// in says for which modes' releases the node is, leftOut why it is not for one.
	in      map[string]bool
	leftOut map[string]string
}

// nodes reads all nodes, once.
func (e *env) nodes(ctx context.Context) ([]node, error) {
	return fact(e, "nodes", func() ([]node, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		targets := map[string]cluster.Targets{}
		for i := range e.Targets {
			if targets[e.Targets[i].Mode], err = release.Targets(e.Targets[i].Values.Tap); err != nil {
				return nil, err
			}
		}
		lister := e.Nodes
		if lister == nil {
			lister = c.core.Nodes()
		}
		return cluster.MapNodes(ctx, lister, e.Selector, func(n *corev1.Node) node {
			taken := node{Node: cluster.FromObject(n), taints: n.Spec.Taints, labels: n.Labels, in: map[string]bool{}, leftOut: map[string]string{}}
			for mode, t := range targets {
				taken.leftOut[mode] = t.LeavesOut(n)
				taken.in[mode] = taken.leftOut[mode] == ""
			}
			return taken
		})
	})
}

// selectedNodes are those that any of the modes is for.
func (e *env) selectedNodes(ctx context.Context) ([]node, error) {
	all, err := e.nodes(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(n node) bool {
		return !slices.Contains(slices.Collect(maps.Values(n.in)), true)
	}), nil
}

// kernel is what nodes are distinguished by.
type kernel struct{ release, arch string }

func (k kernel) String() string { return k.release + " " + k.arch }

// kernels are those of the nodes that a mode's release is for and that can take
// a module at all, with how many nodes have each.
func (e *env) kernels(ctx context.Context, mode string) (map[kernel]int, error) {
	nodes, err := e.nodes(ctx)
	if err != nil {
		return nil, err
	}
	found, judge := map[kernel]int{}, verdict.NewJudge()
	for _, n := range nodes {
		if n.in[mode] && judge.Asks(n.Node) {
			found[kernel{n.Kernel, n.Arch}]++
		}
	}
	return found, nil
}

func sortedKernels(m map[kernel]int) []kernel {
	return slices.SortedFunc(maps.Keys(m), func(a, b kernel) int { return strings.Compare(a.String(), b.String()) })
}

func nodesSelected(ctx context.Context, e *env) Finding {
	all, err := e.nodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	if len(all) == 0 {
		return fail("no-nodes", "the cluster has no nodes", "Add a node, or choose another context with --context.")
	}
	var empty []string
	for _, t := range e.Targets {
		if !slices.ContainsFunc(all, func(n node) bool { return n.in[t.Mode] }) {
			empty = append(empty, "mode "+t.Mode+" selects no node")
		}
	}
	if len(empty) > 0 {
		return fail("no-node-selected", "none of the "+text.CountOrNo(len(all), "node")+" is Linux and selected by the values",
			"Correct tap.nodeSelectorTerms, tap.kernelModule.agent.nodeSelector or kmm.selector.", append(empty, leftOut(all)...)...)
	}
	chosen, err := e.selectedNodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	kernels := map[kernel]int{}
	for _, n := range chosen {
		kernels[kernel{n.Kernel, n.Arch}]++
	}
	return ok(fmt.Sprintf("%d of %s, with %s", len(chosen), text.CountOrNo(len(all), "node"), text.CountOrNo(len(kernels), "kernel")), leftOut(all)...)
}

// leftOut says which nodes the modes leave out and why, each reason once.
func leftOut(all []node) []string {
	names := map[string][]string{}
	for _, n := range all {
		said := map[string]bool{}
		for _, why := range n.leftOut {
			if why != "" && !said[why] {
				said[why] = true
				names[why] = append(names[why], n.Name)
			}
		}
	}
	var lines []string
	for _, why := range slices.Sorted(maps.Keys(names)) {
		lines = append(lines, "excluded: "+strings.Join(some(names[why]), ", ")+": "+why)
	}
	return lines
}

func nodesReady(ctx context.Context, e *env) Finding {
	nodes, err := e.selectedNodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	var down, cordoned []detail
	for _, n := range nodes {
		switch {
		case !n.Ready:
			down = append(down, about(n.Name, "not ready"))
		case n.Cordoned:
			cordoned = append(cordoned, about(n.Name, "cordoned"))
		}
	}
	if len(down) > 0 {
		return warn("node-not-ready", fmt.Sprintf("%s of %d %s not ready", text.CountOrNo(len(down), "node"), len(nodes), verb(len(down), "is", "are")),
			"Fix or drain the nodes first, or exclude them with tap.nodeSelectorTerms.", grouped(down, cordoned)...)
	}
	// The agent tolerates cordoned nodes, and so does the Module.
	if len(cordoned) > 0 {
		return ok(fmt.Sprintf("all %d are ready, %d of them cordoned", len(nodes), len(cordoned)), grouped(cordoned)...)
	}
	return ok(fmt.Sprintf("all %d are ready", len(nodes)))
}

func nodesTaints(ctx context.Context, e *env) Finding {
	nodes, err := e.nodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	var kept []detail
	total := 0
	for i := range e.Targets {
		ds, err := e.Targets[i].daemonSet()
		if err != nil {
			return skip(err.Error())
		}
		for _, n := range nodes {
			if !n.in[e.Targets[i].Mode] {
				continue
			}
			total++
			if t := cluster.Untolerated(n.taints, ds.Spec.Template.Spec.Tolerations); t != nil {
				if d := about(n.Name, t.ToString()); !slices.Contains(kept, d) {
					kept = append(kept, d)
				}
			}
		}
	}
	switch {
	case len(kept) == 0:
		return ok("no taint keeps the agent away")
	case len(kept) >= total:
		return fail("all-nodes-tainted", "every selected node has a taint that the agent does not tolerate",
			"Add tolerations in tap.kernelModule.agent.tolerations, or in tap.tolerations.workers for Kubeshark's workers too.", grouped(kept)...)
	}
	return warn("taint-not-tolerated", text.CountOrNo(len(kept), "node")+" "+verb(len(kept), "gets", "get")+" no agent, because of a taint",
		"If these nodes should have the module, tolerate it in tap.kernelModule.agent.tolerations.", grouped(kept)...)
}

func nodesPlatform(ctx context.Context, e *env) Finding {
	nodes, err := e.selectedNodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	count := map[cluster.Policy]int{}
	byPlatform := map[cluster.Platform][]string{}
	for _, n := range nodes {
		if policy := n.Platform.Describe().Policy; policy != cluster.Loads {
			count[policy]++
			byPlatform[n.Platform] = append(byPlatform[n.Platform], n.Name)
		}
	}
	var lines []string
	remedies := map[string]bool{}
	for _, platform := range slices.Sorted(maps.Keys(byPlatform)) {
		info := platform.Describe()
		remedies[info.Remedy] = true
		lines = append(lines, info.Name+" ("+strings.Join(some(byPlatform[platform]), ", ")+"): "+info.Why)
	}
	remedy := strings.Join(slices.Sorted(maps.Keys(remedies)), " ")
	switch bad := count[cluster.Never] + count[cluster.SignedOnly]; {
	case bad == len(nodes):
		return fail("platform-forbids-modules", "none of the selected nodes loads an out-of-tree module", remedy, lines...)
	case bad > 0:
		return warn("platform-forbids-modules", fmt.Sprintf("%d of %d nodes will stay on libpcap", bad, len(nodes)), remedy, lines...)
	case count[cluster.Unclear] > 0:
		return warn("platform-unclear", fmt.Sprintf("on %d of %d nodes it depends on settings that the API does not show", count[cluster.Unclear], len(nodes)), remedy, lines...)
	}
	return ok("no obstacle found; Secure Boot and lockdown show only on the nodes (--probe)")
}
