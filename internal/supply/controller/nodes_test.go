package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Nodes are judged again after each change that matters, after one of the DaemonSet,
// and now and then in any case; a pod's change is none of theirs.
func TestNodesThatHaveNotChangedAreNotJudgedAgain(t *testing.T) {
	now := time.Now()
	var s seenNodes
	if s.holds(0, "a", now) {
		t.Error("nodes that nobody has judged")
	}
	s.note(&corev1.Node{})
	s.judged, s.daemonSet, s.at = 1, "a", now
	if s.note(&corev1.Pod{}); !s.holds(s.changes.Load(), "a", now.Add(time.Minute)) {
		t.Error("nothing has changed")
	}
	for name, held := range map[string]bool{
		"another DaemonSet":         s.holds(1, "b", now),
		"long ago":                  s.holds(1, "a", now.Add(lookAtNodes)),
		"a clock that was set back": s.holds(1, "a", now.Add(-time.Second)),
	} {
		if held {
			t.Errorf("%s: the old judgement holds", name)
		}
	}
	if s.note(&corev1.Node{}); s.holds(s.changes.Load(), "a", now) {
		t.Error("a node has changed")
	}
}
