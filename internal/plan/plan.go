// Package plan answers the question "what mode to use?" for one cluster: from
// the kernels of its nodes, what the module repository has for them, and what
// else is known, it decides how the module gets onto each kernel, says why and
// what must be done first, and writes the values for it.
//
// Everything it decides from comes in as data; it neither asks the cluster nor
// changes it.
package plan

import (
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
)

// Way is how the module gets onto nodes.
type Way string

// The ways.
const (
	// Auto: the agent fetches from the repository that the values name.
	Auto Way = "auto"
	// AutoSupply: the agent fetches what the supply controller builds in the cluster,
	// beside what the values' own repository has.
	AutoSupply Way = "auto-supply"
	// Keep: the values at hand support more nodes than any other way.
	Keep Way = "keep"
	// AutoPrivate: the agent fetches from a repository of the user's own, which
	// has to be filled first.
	AutoPrivate Way = "auto-private"
	// KMMPrebuilt: KMM loads from images made beforehand.
	KMMPrebuilt Way = "kmm-prebuilt"
	// KMMBuild: KMM builds in the cluster what it has no image of.
	KMMBuild Way = "kmm-build"
	// None: no node can have the module.
	None Way = "none"
)

// Mode is tap.kernelModule.mode for the way; empty for None, and for Keep, which
// leaves it as it is.
func (w Way) Mode() string {
	switch w {
	case Auto, AutoPrivate, AutoSupply:
		return "auto"
	case KMMPrebuilt, KMMBuild:
		return "kmm"
	}
	return ""
}

// title is the way in words.
func (w Way) title() string {
	switch w {
	case Auto:
		return "auto: the agent on each node fetches the module and loads it"
	case AutoPrivate:
		return "auto, from your own module repository"
	case AutoSupply:
		return "auto: the cluster builds the modules itself, and the agent on each node loads them"
	case Keep:
		return "keep the values: no other mode supports more nodes"
	case KMMPrebuilt:
		return "kmm: the operator loads the module from images made beforehand"
	case KMMBuild:
		return "kmm: the operator builds the missing images in the cluster"
	}
	return "nothing: no node can have the module"
}

// Facts are what is decided from.
type Facts struct {
	// Report is what the source of auto mode has for the nodes.
	Report compatibility.Report
	// Supply is what the supply controller has built or will build for them, without
	// that source; nil where it is not to be proposed.
	Supply *compatibility.Report
	// SupplyOn says that the values at hand switch the controller on explicitly, which
	// does not go with mode kmm.
	SupplyOn bool
	// Current is what the nodes have with the values at hand, as far as it is known;
	// nil is nothing.
	Current *compatibility.Report
	// Images is what the registry says of the image of a kernel and architecture; nil
	// where nobody asked.
	Images func(kernel, arch string) compatibility.Answer
	// SourceURL is that source as values have it, and PublicSource tells that it
	// lies on the internet for everybody.
	SourceURL    string
	PublicSource bool
	// SourceMounted says that the values name the volume of a file:// source.
	SourceMounted bool
	// SourceUnread says that it could not be read, so that nobody knows what it
	// has.
	SourceUnread bool
	// PublicKeys are those that the user named beside the values.
	PublicKeys []string
	// NoEgress says that nodes reach nothing outside.
	NoEgress bool
	Addons   cluster.Addons
	// ImageRepository is where module images lie, without a tag; empty is the
	// public one. ImageRepoSecret is its pull secret.
	ImageRepository, ImageRepoSecret string
	// BuildConfigMap names a ConfigMap with the Dockerfile for in-cluster builds;
	// empty takes the chart's own, where it has one for a node's system.
	BuildConfigMap string
	// Seen is what a probe saw on the nodes; nil if there was none.
	Seen []Seen
	// Mode is auto or kmm when the user insists on one.
	Mode string
	// Release and Namespace are those of the installation to be.
	Release, Namespace string
	// Subchart is the key of this chart in the values of a chart that has it as a
	// dependency; "" for none.
	Subchart string
}

// PublicImages is the public repository of module images.
const PublicImages = "docker.io/kubeshark/pf-ring-module"

// Step is something to be done before the installation.
type Step struct {
	What    string `json:"what"`
	Command string `json:"command,omitempty"`
	Link    string `json:"link,omitempty"`
}

// Plan is the decision.
type Plan struct {
	SchemaVersion int    `json:"schemaVersion"`
	Way           Way    `json:"way"`
	Mode          string `json:"mode"`
	Title         string `json:"title"`
	// Ready is true when nothing has to be done first.
	Ready   bool         `json:"ready"`
	Why     []string     `json:"why"`
	First   []Step       `json:"first"`
	Kernels []KernelPlan `json:"kernels"`
	// Notes are what else to know, such as the other way.
	Notes []string `json:"notes"`
	// Now and Then count the nodes that the values at hand support, or that get a
	// module built, and those with this plan, as far as both are known; steps that are
	// to be done first are not counted as done.
	Now  int `json:"supportedNow"`
	Then int `json:"supportedThen"`
	// Values are what to install with, under the user's own.
	Values map[string]any `json:"values"`
}

// Make decides.
func Make(f Facts) Plan {
	if f.ImageRepository == "" {
		f.ImageRepository = PublicImages
	}
	d := &decision{Facts: f, kernels: group(f.Report, f.Supply)}
	d.plan = Plan{SchemaVersion: 1, Why: []string{}, First: []Step{}, Notes: []string{}}
	d.apply()
	d.take(d.decide())
	d.guard()
	d.steps()
	d.notes()
	d.plan.Values = d.values()
	d.plan.Ready = len(d.plan.First) == 0 && d.plan.Way != None
	return d.plan
}

// take chooses a way.
func (d *decision) take(w Way) {
	d.plan.Way, d.plan.Mode, d.plan.Title = w, w.Mode(), w.title()
	d.plan.Kernels = d.perKernel()
	d.plan.Then = 0
	for _, k := range d.plan.Kernels {
		d.plan.Then += k.good
	}
}

// guard makes sure that nobody loses by the plan: where the values at hand support
// more nodes, they stay, or, where a mode was asked for, that is said.
func (d *decision) guard() {
	if d.Current == nil {
		return
	}
	d.plan.Now = d.Current.Totals.Yes + d.Current.Totals.WillBeBuilt
	if d.plan.Then >= d.plan.Now || d.plan.Way == None || d.NoEgress {
		return
	}
	if d.Mode != "" {
		d.note("Fewer nodes are known to get a module with this plan (%d) than with your current values (%d).", d.plan.Then, d.plan.Now)
		return
	}
	d.plan.Why = append(d.plan.Why[:0:0], fmt.Sprintf("With your values %s or get a module built, and no other mode is known to cover as many.", supported(d.plan.Now)))
	d.take(Keep)
}

func supported(nodes int) string {
	if nodes == 1 {
		return "1 node is supported"
	}
	return fmt.Sprintf("%d nodes are supported", nodes)
}

// decision is one run of Make.
type decision struct {
	Facts
	kernels []kernel
	plan    Plan
}

func (d *decision) addReason(format string, args ...any) {
	d.plan.Why = append(d.plan.Why, fmt.Sprintf(format, args...))
}

func (d *decision) note(format string, args ...any) {
	d.plan.Notes = append(d.plan.Notes, fmt.Sprintf(format, args...))
}

func (d *decision) first(s Step) { d.plan.First = append(d.plan.First, s) }
