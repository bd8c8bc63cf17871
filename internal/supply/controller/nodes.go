package controller

import (
	"context"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
)

// lookAtNodes is how often nodes are judged that have not changed.
const lookAtNodes = 10 * time.Minute

// seenNodes is what the nodes wanted when they were judged last. To judge thousands
// of them is most of what a look costs, and at rest they only report that they live.
type seenNodes struct {
	// changes counts what has changed of nodes, and is the handlers'.
	changes atomic.Int64

	judged    int64
	daemonSet string
	at        time.Time
	wants     []decide.Want
}

// note counts a change of a node. It comes after the cache has the change.
func (s *seenNodes) note(o client.Object) {
	if _, ok := o.(*corev1.Node); ok {
		s.changes.Add(1)
	}
}

// holds tells whether a judgement is still the one that nodes would get.
func (s *seenNodes) holds(changes int64, daemonSet string, now time.Time) bool {
	age := now.Sub(s.at)
	return !s.at.IsZero() && s.judged == changes && s.daemonSet == daemonSet && age >= 0 && age < lookAtNodes
}

func (r *reconciler) seeNodes(ctx context.Context, l *look) error {
	if l.release == nil {
		return nil
	}
	// Counted before the nodes are read: a change that comes meanwhile counts later.
	changes, daemonSet := r.nodes.changes.Load(), string(l.daemonSet.UID)+l.daemonSet.ResourceVersion
	if r.nodes.holds(changes, daemonSet, l.now) {
		l.wants = r.nodes.wants
		return nil
	}
	objects, err := objectsOf[corev1.Node](ctx, r.cache)
	if err != nil {
		return err
	}
	nodes := make([]cluster.Node, 0, len(objects))
	for _, o := range objects {
		n := cluster.FromObject(o)
		n.Excluded = l.release.Excludes(o) != ""
		nodes = append(nodes, n)
	}
	l.wants = decide.Wants(nodes, r.o.Config.Supply.Kernels)
	r.nodes.judged, r.nodes.daemonSet, r.nodes.at, r.nodes.wants = changes, daemonSet, l.now, l.wants
	return nil
}
