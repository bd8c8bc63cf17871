package rollout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// facts are what is known of a release at one moment.
type facts struct {
	release *Release
	// targets are the nodes by name; nil if they may not be listed.
	targets map[string]*target
	// pods are the agent's, by UID; workers are KMM's last words by node.
	pods    map[string]*corev1.Pod
	workers map[string]*corev1.Pod
	// gone are nodes that no longer exist, while pods of theirs still do.
	gone map[string]bool
	// built is what the supply controller says; nil unless the cluster builds the
	// release's modules.
	built *built
	// creating says why pods could not be made, if an event does.
	creating string
	// verdicts judge what a node can have; nil until one is asked for.
	verdicts *verdict.Judge
}

// verdictWithout is the one judgement of a node that has no module, and why it takes none
// at all, or "".
func (f *facts) verdictWithout(t *target) (v verdict.Verdict, refused string) {
	if f.verdicts == nil {
		f.verdicts = verdict.NewJudge()
	}
	n := t.judged()
	return f.verdicts.Lacking(n), f.verdicts.Refuses(n)
}

// judge tells the state of every node, sorted by name.
func (f *facts) judge(now time.Time) []Node {
	byNode := map[string][]*corev1.Pod{}
	for _, p := range f.pods {
		byNode[p.Spec.NodeName] = append(byNode[p.Spec.NodeName], p)
	}
	var list []Node
	for name, t := range f.targets {
		if !f.release.selects(t) {
			continue
		}
		list = append(list, f.node(name, t, byNode[name], now))
	}
	for name, pods := range byNode {
		// A node newer than the list, or one that nobody may see.
		if f.targets[name] == nil && name != "" && !f.gone[name] && f.release.selects(nil) {
			list = append(list, f.node(name, nil, pods, now))
		}
	}
	slices.SortFunc(list, func(a, b Node) int { return text.Natural(a.Node, b.Node) })
	return list
}

func (f *facts) node(name string, t *target, pods []*corev1.Pod, now time.Time) Node {
	n := Node{Node: name, Wanted: true}
	if t != nil {
		n.Kernel, n.Arch = t.kernel, t.arch
		if t.excluded != "" {
			n.Wanted, n.State, n.Message = false, Excluded, t.excluded
			return n
		}
	}
	p := f.current(pods)
	switch {
	case p == nil && t != nil && t.notReady != "":
		n.State, n.Since, n.Message = Unknown, t.since, "the node is not ready: "+t.notReady
	case p == nil && len(pods) > 0:
		n.State, n.Message, n.Since = Pending, "the agent is being replaced by a new one", pods[0].CreationTimestamp.Time
	case p == nil:
		n.State, n.Message = Pending, cmp.Or(f.creating, "the agent has no pod on it yet")
		n.Remedy = f.createRemedy()
	default:
		judgePod(&n, p, t, now)
		f.outdated(&n, p, t)
		f.built.explain(&n)
	}
	f.advise(&n, t)
	return n
}

// advise puts in place of a reason's general remedy the one that fits the node.
func (f *facts) advise(n *Node, t *target) {
	if t == nil || n.State == OK || n.State == Building || n.State == BuildFailed || n.State == Unsupported {
		return
	}
	v, refused := f.verdictWithout(t)
	switch {
	case refused != "" && n.State != Unknown:
		n.Message, n.Remedy = refusedHere(n.Message, refused), v.Remedy
	case n.Reason == outcome.NoModuleForKernel:
		n.Remedy = verdict.AnyKernel(v.Remedy, t.kernel)
	}
}

// refusedHere is why a node can have no module, beside what was seen there.
func refusedHere(seen, refused string) string {
	return strings.TrimSuffix(seen, ".") + ". " + refused
}

// createRemedy is what to do where the API server refuses the agent's pods.
func (f *facts) createRemedy() string {
	switch said := strings.ToLower(f.creating); {
	case f.creating == "":
		return ""
	case strings.Contains(said, "podsecurity"):
		return "Run: kubectl label --overwrite namespace " + f.release.Namespace + " pod-security.kubernetes.io/enforce=privileged"
	case strings.Contains(said, "quota"):
		return "Raise the namespace's ResourceQuota, or lower tap.kernelModule.agent.resources: kubectl describe quota -n " + f.release.Namespace
	case strings.Contains(said, "serviceaccount"):
		return "Create the service account, or set tap.kernelModule.serviceAccount.create: kubectl get serviceaccounts -n " + f.release.Namespace
	}
	return "Find out what refuses it: kubectl describe daemonset " + f.release.DaemonSet + " -n " + f.release.Namespace
}

// current is the newest pod of the newest template; nil while an older one
// waits to be replaced.
func (f *facts) current(pods []*corev1.Pod) *corev1.Pod {
	var newest *corev1.Pod
	for _, p := range pods {
		generation := p.Labels[generationLabel]
		old := generation != "" && f.release.generation != "" && generation != f.release.generation && !f.release.onDelete
		if old || p.DeletionTimestamp != nil {
			continue
		}
		if newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp) {
			newest = p
		}
	}
	return newest
}

// outdated drops an outcome of an earlier boot: a reboot unloads the module.
func (f *facts) outdated(n *Node, p *corev1.Pod, t *target) {
	c := findStatus(p.Status.InitContainerStatuses, "load", "wait")
	if t == nil || t.bootID == "" || c == nil || c.State.Terminated == nil {
		return
	}
	o, err := outcome.Parse([]byte(c.State.Terminated.Message))
	if err != nil || o.BootID == "" || o.BootID == t.bootID {
		return
	}
	*n = Node{
		Node: n.Node, Wanted: true, State: Pending, Kernel: n.Kernel, Arch: n.Arch, Pod: n.Pod,
		Message: "the node has been rebooted, and the agent has not run since",
	}
}
