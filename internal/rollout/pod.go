package rollout

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// startGrace is how long a new main container may be unready before that means
// that the module is gone: its first readiness probe comes within 5 s.
const startGrace = 30 * time.Second

// slim keeps of a pod what is judged, so that thousands fit in little memory.
func slim(p *corev1.Pod) *corev1.Pod {
	s := &corev1.Pod{}
	s.Name, s.Namespace, s.UID, s.Labels = p.Name, p.Namespace, p.UID, p.Labels
	s.CreationTimestamp, s.DeletionTimestamp = p.CreationTimestamp, p.DeletionTimestamp
	s.Spec.NodeName = nodeOf(p)
	for _, c := range p.Spec.Containers {
		s.Spec.Containers = append(s.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	for _, c := range p.Spec.InitContainers {
		s.Spec.InitContainers = append(s.Spec.InitContainers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	s.Status = p.Status
	return s
}

// nodeOf is where a pod runs, or where it is to: a daemon pod that nobody has
// bound yet names its node by affinity.
func nodeOf(p *corev1.Pod) string {
	a := p.Spec.Affinity
	if p.Spec.NodeName != "" || a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return p.Spec.NodeName
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == "metadata.name" && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

// judgePod fills in what a pod tells of its node.
func judgePod(n *Node, p *corev1.Pod, t *target, now time.Time) {
	n.Pod, n.Since = p.Name, p.CreationTimestamp.Time
	container := findStatus(p.Status.InitContainerStatuses, "load", "wait")
	switch {
	case p.Status.Phase == corev1.PodFailed:
		n.State, n.Message = Pending, "its pod ended and is about to be replaced: "+strings.TrimSpace(p.Status.Reason+" "+p.Status.Message)
	case container == nil:
		n.State, n.Message = Pending, notStarted(p)
	default:
		judgeInit(n, p, container)
	}
	if n.State == OK || n.State == Fallback {
		judgeRun(n, p, t, now)
	}
	if n.State == Pending || n.State == Unknown {
		// What was seen last is in the message; it does not hold now.
		n.Backend, n.Version, n.Reason, n.Verified, n.Source = "", "", "", "", ""
	}
}

// notStarted says why a pod has no containers yet.
func notStarted(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "its pod is not scheduled: " + cmp.Or(c.Message, c.Reason)
		}
	}
	return "its pod has not started yet"
}

func judgeInit(n *Node, p *corev1.Pod, c *corev1.ContainerStatus) {
	last := c.State.Terminated
	again := last == nil
	if again {
		last = c.LastTerminationState.Terminated
	}
	switch {
	// A success before the last start is that of an earlier boot or sandbox.
	case last != nil && (!again || last.ExitCode != 0):
		ended(n, last, last.ExitCode != 0)
	case c.State.Running != nil:
		n.State, n.Since = Pending, c.State.Running.StartedAt.Time
		n.Message = map[string]string{"load": "the agent is loading the module", "wait": "the agent waits for KMM to load the module"}[c.Name]
	default:
		n.State, n.Message = Pending, waitingFor("agent", c, p)
	}
}

// ended takes over the outcome of an init container. One that will be started
// again has failed, not fallen back.
func ended(n *Node, t *corev1.ContainerStateTerminated, again bool) {
	n.Since = t.FinishedAt.Time
	o, err := outcome.Parse([]byte(t.Message))
	if err != nil {
		n.State, n.Reason = Failed, outcome.Internal
		n.Message = fmt.Sprintf("the agent ended with exit code %d and no outcome", t.ExitCode)
		if text := strings.TrimSpace(t.Reason + " " + t.Message); text != "" {
			n.Message += ": " + text
		}
		n.Remedy = remedy(outcome.Internal)
		return
	}
	n.Backend, n.Reason, n.Message, n.Version = o.Backend, o.Reason, o.Message, o.Module.Version
	n.Verified, n.Source = o.Module.Verified, o.Module.Source
	if !o.Time.IsZero() {
		n.Since = o.Time
	}
	switch {
	case o.Backend == outcome.PFRing:
		n.State = OK
		return
	case again:
		n.State = Failed
	default:
		n.State = Fallback
	}
	// The version is that of a module that was not loaded.
	n.Version, n.Remedy = "", remedy(o.Reason)
}

func remedy(r outcome.Reason) string {
	info, _ := outcome.Describe(r)
	return info.Remedy
}

// judgeRun corrects an outcome by what happened to it since.
func judgeRun(n *Node, p *corev1.Pod, t *target, now time.Time) {
	run := findStatus(p.Status.ContainerStatuses, "run")
	ready, changed := readiness(p)
	switch {
	case t != nil && t.notReady != "":
		// Its kubelet reports no more, and its pods are marked unready for that alone.
		n.State, n.Since = Unknown, t.since
		n.Message = "the node is not ready (" + t.notReady + "); last seen: " + string(n.Reason)
	case ready || n.State == Fallback && (run == nil || run.State.Running != nil):
	case run == nil || run.State.Waiting != nil && run.LastTerminationState.Terminated == nil:
		n.State, n.Message = Pending, cmp.Or(waitingFor("agent", run, p), "the agent is starting")
	case run.State.Running == nil:
		crashed(n, p.Namespace, run)
	case changed.After(run.State.Running.StartedAt.Time) || now.Sub(run.State.Running.StartedAt.Time) > startGrace:
		n.State, n.Backend, n.Reason, n.Version = Fallback, outcome.Libpcap, outcome.ModuleGone, ""
		n.Message, n.Remedy = "the module was loaded and has been unloaded since; capture continues with libpcap", remedy(outcome.ModuleGone)
		n.Since = changed
	default:
		n.State, n.Message = Pending, "the module is loaded, the agent is about to be ready"
	}
}

// crashed: nobody watches over the module, so nobody knows whether it is there.
func crashed(n *Node, namespace string, run *corev1.ContainerStatus) {
	end := run.State.Terminated
	if end == nil {
		end = run.LastTerminationState.Terminated
	}
	n.Message = "the agent ended while it watched over the module, last seen: " + string(n.Reason)
	if end != nil {
		n.Since = end.FinishedAt.Time
		n.Message += fmt.Sprintf(" (exit code %d %s)", end.ExitCode, end.Reason)
	}
	n.State, n.Remedy = Unknown, "Read its last log lines: kubectl logs --previous "+n.Pod+" -n "+namespace
}

// waitingFor says what a container waits for; "" if it does not.
func waitingFor(who string, c *corev1.ContainerStatus, p *corev1.Pod) string {
	if c == nil || c.State.Waiting == nil {
		return ""
	}
	w := c.State.Waiting
	switch w.Reason {
	case "", "PodInitializing", "ContainerCreating":
		text := "the " + who + "'s container is being created"
		// A volume that is not there keeps the pod here; only events say which.
		return text + age(p)
	}
	return "the " + who + "'s container cannot start: " + strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
}

func age(p *corev1.Pod) string {
	if p == nil || p.CreationTimestamp.IsZero() {
		return ""
	}
	return " since " + p.CreationTimestamp.UTC().Format(time.RFC3339)
}

func readiness(p *corev1.Pod) (bool, time.Time) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

func findStatus(list []corev1.ContainerStatus, names ...string) *corev1.ContainerStatus {
	for i := range list {
		for _, name := range names {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}
