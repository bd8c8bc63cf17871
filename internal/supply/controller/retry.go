package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// retry starts agents again that fell back for want of a module which is there
// now: their pods are deleted, and the DaemonSet makes new ones. A pod whose
// PF_RING works is never touched.
func (r *reconciler) retry(ctx context.Context, l *look) error {
	if l.release == nil || l.index.serial == 0 || r.trusted.signing == "" || l.behind {
		return nil
	}
	there := map[decide.Key]time.Time{}
	for _, e := range l.index.list {
		there[keyOf(e)] = l.index.created
	}
	pods, err := r.agentsToRestart(ctx, there)
	if err != nil || len(pods) == 0 {
		return err
	}
	nodes, total, err := r.nodesOf(ctx, pods)
	if err != nil {
		return err
	}
	fell, err := l.release.Judge(nodes, pods, l.now).Candidates(rollout.RetryOptions{})
	if err != nil {
		return err
	}
	r.retried.allow(l.now, total)
	byName := map[string]*corev1.Pod{}
	for _, p := range pods {
		byName[p.Name] = p
	}
	for _, n := range fell {
		pod := byName[n.Pod]
		if pod == nil || !helps(l, n, pod) || !r.retried.take(n.Node, l.now) {
			continue
		}
		if err := r.restart(ctx, n, pod); err != nil {
			return err
		}
	}
	if next := r.retried.next(l.now); !next.IsZero() && (l.plan.Next.IsZero() || next.Before(l.plan.Next)) {
		l.plan.Next = next
	}
	return nil
}

// restart deletes the pod of a node's agent. One that somebody else has deleted is left alone.
func (r *reconciler) restart(ctx context.Context, n rollout.Node, pod *corev1.Pod) error {
	err := r.client.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}, client.Preconditions{UID: &pod.UID})
	if apierrors.IsForbidden(err) || err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot restart the agent on node %s: %w", n.Node, err)
	}
	retriedPods.Inc()
	r.log.Info("restarted an agent", "node", n.Node, "pod", n.Pod, "kernel", n.Kernel, "reason", string(n.Reason))
	return nil
}

// helps tells whether an agent that fell back may have another outcome now: it could
// not get a module, or its kernel has refused another than there is.
func helps(l *look, n rollout.Node, p *corev1.Pod) bool {
	if slices.Contains(repositoryReasons(), n.Reason) {
		return true
	}
	o, ok := lastOutcome(p)
	return ok && replaced(l.index.list, o)
}

// agentsToRestart are the agents' pods whose last outcome lacked a module that is there.
func (r *reconciler) agentsToRestart(ctx context.Context, there map[decide.Key]time.Time) ([]*corev1.Pod, error) {
	all, err := objectsOf[corev1.Pod](ctx, r.cache)
	if err != nil {
		return nil, err
	}
	var pods []*corev1.Pod
	for _, p := range all {
		o, ok := lastOutcome(p)
		if !ok || o.Backend == outcome.PFRing || p.DeletionTimestamp != nil {
			continue
		}
		if _, found := there[decide.Key{Kernel: o.Kernel, Arch: o.Arch}]; found {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// lastOutcome is what the load of a pod has come to.
func lastOutcome(p *corev1.Pod) (outcome.Outcome, bool) {
	for _, c := range p.Status.InitContainerStatuses {
		for _, t := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if t == nil || t.Message == "" {
				continue
			}
			o, err := outcome.Parse([]byte(t.Message))
			return o, err == nil
		}
	}
	return outcome.Outcome{}, false
}

// nodesOf are the nodes of pods, and how many nodes there are.
func (r *reconciler) nodesOf(ctx context.Context, pods []*corev1.Pod) ([]*corev1.Node, int, error) {
	all, err := objectsOf[corev1.Node](ctx, r.cache)
	if err != nil {
		return nil, 0, err
	}
	on := map[string]bool{}
	for _, p := range pods {
		on[p.Spec.NodeName] = true
	}
	var nodes []*corev1.Node
	for _, n := range all {
		if on[n.Name] {
			nodes = append(nodes, n)
		}
	}
	return nodes, len(all), nil
}

// repositoryReasons are those that a module repository is the cause of.
func repositoryReasons() []outcome.Reason {
	var list []outcome.Reason
	for _, info := range outcome.Reasons() {
		if info.Group == outcome.GroupRepository {
			list = append(list, info.Reason)
		}
	}
	return list
}

const (
	// leastPerMinute pods are started again in each minute, or sharePerMinute per
	// cent of the nodes.
	leastPerMinute, sharePerMinute = 50, 10
	// firstPause is before a node's second retry; each further one is twice as
	// long, up to mostPause.
	firstPause, mostPause = 2 * time.Minute, 2 * time.Hour
)

// pacer bounds how fast pods are started again, and how often that of one node.
type pacer struct {
	minute time.Time
	left   int
	nodes  map[string]paced
	wake   time.Time
}

type paced struct {
	times int
	until time.Time
}

// allow opens a new minute.
func (p *pacer) allow(now time.Time, nodes int) {
	p.wake = time.Time{}
	if now.Sub(p.minute) >= time.Minute {
		p.minute, p.left = now, max(leastPerMinute, nodes*sharePerMinute/100)
		for name, n := range p.nodes {
			if now.Sub(n.until) > mostPause {
				delete(p.nodes, name)
			}
		}
	}
}

// take tells whether the agent of a node may be started again now.
func (p *pacer) take(node string, now time.Time) bool {
	n := p.nodes[node]
	switch {
	case now.Before(n.until):
		p.at(n.until)
		return false
	case p.left <= 0:
		p.at(p.minute.Add(time.Minute))
		return false
	}
	pause := firstPause
	for range n.times {
		pause = min(2*pause, mostPause)
	}
	p.left--
	p.nodes[node] = paced{n.times + 1, now.Add(pause)}
	return true
}

func (p *pacer) at(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

// next is when a node that was refused may be tried; zero if none was.
func (p *pacer) next(time.Time) time.Time { return p.wake }
