package rollout

import (
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// State is how a node stands to what is wanted of it.
type State string

// The states. Only OK is success, and Excluded nodes do not count.
const (
	// OK: the node has the module.
	OK State = "ok"
	// Fallback: it stays on libpcap, and nothing will change by itself.
	Fallback State = "fallback"
	// Failed: it has no module and the agent keeps trying (onUnavailable: fail).
	Failed State = "failed"
	// Pending: not known yet, the agent is at work or about to be.
	Pending State = "pending"
	// Unknown: what the API holds of the node may be out of date.
	Unknown State = "unknown"
	// Building: it stays on libpcap until the cluster has built its module, which
	// the agent then loads.
	Building State = "building"
	// BuildFailed: the cluster cannot build its module so far, and tries again
	// with growing pauses.
	BuildFailed State = "build-failed"
	// Unsupported: the cluster cannot build its module at all.
	Unsupported State = "unsupported"
	// Excluded: the release does not want the node.
	Excluded State = "excluded"
)

// settled states do not change by themselves.
func (s State) settled() bool {
	return s == OK || s == Fallback || s == BuildFailed || s == Unsupported || s == Excluded
}

// withoutModule tells that the agent has ended without the module.
func (s State) withoutModule() bool {
	return s == Fallback || s == Failed || s == Building || s == BuildFailed || s == Unsupported
}

// Node is the state of one node.
type Node struct {
	Node   string `json:"node"`
	Wanted bool   `json:"wanted"`
	State  State  `json:"state"`
	// Backend and Version are "" while they are not known.
	Backend outcome.Backend `json:"backend,omitempty"`
	Version string          `json:"version,omitempty"`
	// Reason is a reason code of the outcome, "" if there is no outcome.
	Reason outcome.Reason `json:"reason,omitempty"`
	// Outdated says that the node has the module, and that it is not the one that
	// the release asks for: another version or configuration.
	Outdated bool `json:"outdated,omitempty"`
	// Message says in words what was seen, Remedy what to do.
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	// Since is when the node came into this state; zero if not known.
	Since    time.Time        `json:"since,omitzero"`
	Kernel   string           `json:"kernel,omitempty"`
	Arch     string           `json:"arch,omitempty"`
	Pod      string           `json:"pod,omitempty"`
	Verified outcome.Verified `json:"verified,omitempty"`
	Source   string           `json:"source,omitempty"`
	// Step is that of a build which runs, and Log has the lines of a failed one
	// that tell most.
	Step string   `json:"step,omitempty"`
	Log  []string `json:"log,omitempty"`
}

// target is the part of a Node object that matters here; a list of thousands
// must stay cheap.
type target struct {
	name, kernel, arch, bootID string
	labels                     map[string]string
	taints                     []taint
	// notReady is what its Ready condition says if it is not true.
	notReady string
	since    time.Time
	// system is what the node calls its system, and platform what kind of node it is.
	system   string
	platform cluster.Platform
	// excluded says why the release does not want the node, "" if it does.
	excluded string
}

// judged is the node as package verdict judges it.
func (t *target) judged() cluster.Node {
	return cluster.Node{Name: t.name, Kernel: t.kernel, Arch: t.arch, OS: "linux", OSImage: t.system, Platform: t.platform}
}

// taint is a taint that keeps pods away.
type taint struct{ key, value, effect string }

func (t taint) String() string {
	if t.value == "" {
		return t.key + ":" + t.effect
	}
	return t.key + "=" + t.value + ":" + t.effect
}
