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

// Mode is tap.kernelModule.mode for the way; empty for None.
func (w Way) Mode() string {
	switch w {
	case Auto, AutoPrivate:
		return "auto"
	case KMMPrebuilt, KMMBuild:
		return "kmm"
	}
	return ""
}

// Title is the way in words.
func (w Way) Title() string {
	switch w {
	case Auto:
		return "auto: the agent on each node fetches the module and loads it"
	case AutoPrivate:
		return "auto, from a module repository of your own"
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
	// SourceURL is that source as values have it, and PublicSource tells that it
	// lies on the internet for everybody.
	SourceURL    string
	PublicSource bool
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
	// Values are what to install with, under the user's own.
	Values map[string]any `json:"values"`
}

// Make decides.
func Make(f Facts) Plan {
	if f.ImageRepository == "" {
		f.ImageRepository = PublicImages
	}
	d := &decision{Facts: f, kernels: group(f.Report)}
	d.plan = Plan{SchemaVersion: 1, Why: []string{}, First: []Step{}, Notes: []string{}}
	d.apply()
	d.plan.Way = d.decide()
	d.plan.Mode, d.plan.Title = d.plan.Way.Mode(), d.plan.Way.Title()
	d.plan.Kernels = d.perKernel()
	d.steps()
	d.notes()
	d.plan.Values = d.values()
	d.plan.Ready = len(d.plan.First) == 0 && d.plan.Way != None
	return d.plan
}

// decision is one run of Make.
type decision struct {
	Facts
	kernels []kernel
	plan    Plan
}

func (d *decision) because(format string, args ...any) {
	d.plan.Why = append(d.plan.Why, fmt.Sprintf(format, args...))
}

func (d *decision) note(format string, args ...any) {
	d.plan.Notes = append(d.plan.Notes, fmt.Sprintf(format, args...))
}

func (d *decision) first(s Step) { d.plan.First = append(d.plan.First, s) }
