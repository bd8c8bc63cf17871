package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// ReleaseOf is the release that an agent's DaemonSet belongs to.
func ReleaseOf(ds *appsv1.DaemonSet) *Release { return releaseOf(ds) }

// Excludes says why the release does not want a node, "" if it does.
func (r *Release) Excludes(n *corev1.Node) string { return r.target(n).excluded }

// Slim keeps of a pod what Judge looks at.
func Slim(p *corev1.Pod) *corev1.Pod { return slim(p) }

// Judge tells the state of nodes by objects at hand: for those who watch and need
// no Client. Of pods only the release's count.
func (r *Release) Judge(nodes []*corev1.Node, pods []*corev1.Pod, now time.Time) *Report {
	f := &facts{release: r, targets: map[string]*target{}, pods: map[string]*corev1.Pod{}, workers: map[string]*corev1.Pod{}}
	for _, n := range nodes {
		f.targets[n.Name] = r.target(n)
	}
	for _, p := range pods {
		f.put(p)
	}
	return f.report(now)
}
