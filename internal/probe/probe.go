// Package probe looks at nodes from the inside: it runs the agent's probe as
// one Job for each kernel, architecture and zone, in the environment that the
// rendered DaemonSet would give the agent, and reads what the pods left as
// termination messages. The Jobs are removed when Run returns, however it ends;
// should the client die, the cluster ends and removes them by itself.
//
// What the answers mean for an installation is left to packages prereq and plan.
package probe

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Reasons why a probe could not run on a node. They are stable codes.
const (
	reasonNotReady      = "node-not-ready"
	reasonTaint         = "taint-not-tolerated"
	reasonUnschedulable = "unschedulable"
	reasonImagePull     = "image-pull"
	reasonPodSecurity   = "pod-security"
	reasonQuota         = "quota-exceeded"
	reasonRefused       = "pod-refused"
	reasonForbidden     = "forbidden"
	reasonVolume        = "volume-missing"
	reasonEvicted       = "evicted"
	reasonGone          = "pod-gone"
	reasonDeadline      = "deadline"
	reasonNoReport      = "no-report"
	reasonNotReached    = "not-reached"
	reasonInterrupted   = "interrupted"
)

// Bounds of one Job, and of the pauses between two looks at all of them.
const (
	// patience is how long one node may take before the next one is tried.
	patience = 90 * time.Second
	// activeDeadline ends a Job whose client is gone, and ttl removes it then.
	activeDeadline = patience + 30*time.Second
	ttl            = 2 * time.Minute
	// askFor bounds what the agent itself does.
	askFor   = 45 * time.Second
	interval = 400 * time.Millisecond
	// attempts is on how many nodes of a group it is tried.
	attempts = 2
	// cleanUp bounds the removal of the Jobs.
	cleanUp = 30 * time.Second
)

// Node is what is needed of a node to choose it.
type Node struct {
	Name, Kernel, Arch, Zone string
	Ready, Cordoned          bool
	// Taint is one that the agent does not tolerate, or "".
	Taint string
}

// Clients are those of the namespace in which the Jobs run.
type Clients struct {
	Jobs            batchv1client.JobInterface
	Pods            corev1client.PodInterface
	Events          corev1client.EventInterface
	ServiceAccounts corev1client.ServiceAccountInterface
}

// Options say what is probed.
type Options struct {
	Clients
	Namespace, Release string
	// DaemonSet is the agent's, as the chart renders it.
	DaemonSet *appsv1.DaemonSet
	// Image is used in place of the agent's; "" is the agent's.
	Image string
	Nodes []Node
	// Registries are names of image registries that pods are to ask.
	Registries []string
	// Builds is what builds fetch, and by which proxy.
	Builds Builds
	// WithoutSupply leaves out the controller, which is not installed yet.
	WithoutSupply bool
	// Timeout bounds all of it; 0 is 3 minutes.
	Timeout time.Duration
	// parallel is how many Jobs there are at once; 0 is 32.
	parallel int
	// Progress is told how many groups are through; nil is none.
	Progress func(done, all int)
}

// Builds are URLs that pods are to reach as builds do. Of one that ends in a slash
// only the server has to answer.
type Builds struct {
	URLs                           []string
	ProxyHTTP, ProxyHTTPS, ProxyNo string
}

// Group is the nodes that one probe represents.
type Group struct {
	Kernel, Arch, Zone string
	Nodes              int
}

func (g Group) String() string {
	s := g.Kernel + " " + g.Arch
	if g.Zone != "" {
		s += " in " + g.Zone
	}
	return s
}

// Failure is why a probe could not run on one node.
type Failure struct{ Node, Reason, Message string }

// Result is what came of a group.
type Result struct {
	Group
	// Node is the one that was looked at, and Report what it said; nil when the
	// probe ran on none.
	Node   string
	Report *outcome.Probe
	// Failed are the nodes on which it could not run.
	Failed []Failure
}

// Why is the last reason why a group has no report.
func (r Result) Why() Failure {
	if r.Report != nil || len(r.Failed) == 0 {
		return Failure{}
	}
	return r.Failed[len(r.Failed)-1]
}

// Report is what came of all groups, by kernel, architecture and zone.
type Report struct {
	Results []Result
	// Restricted says that the namespace refused pods that see the host's /sys,
	// so that nobody could look for lockdown and Secure Boot, and why.
	Restricted string
	// DefaultAccount says that the agent's ServiceAccount is not there yet, so
	// that the pods ran with the namespace's default one.
	DefaultAccount bool
	// Left is why Jobs could not be removed; the cluster removes them later.
	Left error
}

// Run probes one node of each group. It fails only when nothing can be tried
// at all; what a single group lacks stands in its Result. When ctx ends, what
// was not reached is reported as interrupted, and the Jobs are removed anyway.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Minute
	}
	if o.parallel == 0 {
		o.parallel = 32
	}
	r := &runner{Options: o, id: newID(), end: time.Now().Add(o.Timeout), active: map[string]*attempt{}}
	r.report = &Report{}
	waiting := r.groups()
	if len(waiting) == 0 {
		r.finish()
		return r.report, nil
	}
	refused, err := r.chooseForm(ctx)
	if err != nil {
		return nil, err
	}
	if refused != nil {
		for _, g := range waiting {
			g.fail(*refused)
		}
		r.finish()
		return r.report, nil
	}
	defer r.remove(ctx)
	r.all(ctx, waiting)
	r.finish()
	return r.report, nil
}
