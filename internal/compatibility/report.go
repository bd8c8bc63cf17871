package compatibility

import (
	"fmt"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// Supported is the answer for one node.
type Supported = verdict.Can

// The answers, as package verdict explains them.
const (
	Yes           = verdict.Yes
	No            = verdict.No
	WillBeBuilt   = verdict.WillBeBuilt
	cannotBeBuilt = verdict.CannotBeBuilt
	Unknown       = verdict.Unknown
	Excluded      = verdict.Excluded
)

// Reason codes beside those of packages verdict and outcome; they are never
// renamed.
const (
	ReasonNoMapping       = "no-kernel-mapping"
	ReasonImageNotChecked = "image-not-checked"
	ReasonBuilt           = "built-in-cluster"
	ReasonKernelUnserved  = "kernel-unserved-by-kmm"
	ReasonModuleStalled   = "module-stalled"

	ReasonImageMissing     = "image-missing"
	ReasonImageArch        = "image-wrong-arch"
	ReasonImageForbidden   = "image-forbidden"
	ReasonImageUnreachable = "image-unreachable"

	ReasonRegistryUnknown   = "registry-unknown-host"
	ReasonRegistryUntrusted = "registry-tls-untrusted"
	ReasonRegistryTimeout   = "registry-timeout"
	ReasonProxyRefused      = "proxy-refused"
)

// What a report is about.
const (
	subjectCluster = "Cluster"
	SubjectKernels = "Kernel"
)

// NodeResult is the answer for one node.
type NodeResult struct {
	Node      string    `json:"node"`
	Kernel    string    `json:"kernelVersion"`
	Supported Supported `json:"supported"`
	Arch      string    `json:"architecture"`
	OS        string    `json:"os"`
	// Platform is one of package cluster's; empty for any other Linux.
	Platform string `json:"platform,omitempty"`
	Zone     string `json:"zone,omitempty"`
	Ready    bool   `json:"ready"`
	// Present says that the repository has a module for the kernel, whether or
	// not this node takes it.
	Present bool `json:"modulePresent"`
	// Signed says that the repository's module bears a kernel signature.
	Signed bool `json:"moduleSigned,omitempty"`
	// Version is PF_RING's; empty when unknown or when there is no module.
	Version string `json:"pfRingVersion,omitempty"`
	Mapping string `json:"mapping,omitempty"`
	Image   string `json:"image,omitempty"`
	// Reason is a stable code; Message and Remedy are for people.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	// Source is the public page that a platform's facts are from.
	Source string `json:"source,omitempty"`
}

// KernelResult sums up the nodes that share kernel release and architecture.
type KernelResult struct {
	Kernel string `json:"kernelVersion"`
	Arch   string `json:"architecture"`
	Nodes  int    `json:"nodes"`
	Totals
	Version string `json:"pfRingVersion,omitempty"`
	Mapping string `json:"mapping,omitempty"`
	Image   string `json:"image,omitempty"`
	// Reason, Message and Remedy are those of a node that lacks the module.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Totals count nodes by their answer.
type Totals struct {
	Yes      int `json:"supported"`
	No       int `json:"unsupported"`
	Unknown  int `json:"unknown"`
	Excluded int `json:"excluded"`
	// WillBeBuilt and cannotBeBuilt are of the supply controller, and counted in
	// none of the others.
	WillBeBuilt   int `json:"willBeBuilt,omitempty"`
	CannotBeBuilt int `json:"cannotBeBuilt,omitempty"`
}

func (t *Totals) add(s Supported) {
	switch s {
	case Yes:
		t.Yes++
	case No:
		t.No++
	case Excluded:
		t.Excluded++
	case WillBeBuilt:
		t.WillBeBuilt++
	case cannotBeBuilt:
		t.CannotBeBuilt++
	default:
		t.Unknown++
	}
}

// Counted is how many nodes count for the verdict.
func (t Totals) Counted() int { return t.Yes + t.No + t.Unknown + t.WillBeBuilt + t.CannotBeBuilt }

// good is how many nodes need nobody to do anything.
func (t Totals) good() int { return t.Yes + t.WillBeBuilt }

// Report is the answer for a cluster, or for kernels without one.
type Report struct {
	SchemaVersion int `json:"schemaVersion"`
	// Compatible is true when every node that counts is supported.
	Compatible bool `json:"compatible"`
	// Verdict is the answer in words.
	Verdict string `json:"verdict"`
	// Subject is what was asked about: Cluster or Kernel.
	Subject string `json:"subject"`
	// Mode is auto or kmm.
	Mode string `json:"mode"`
	// Source is the repository that was asked, without secrets; empty in kmm.
	Source string `json:"source,omitempty"`
	// Verify is what modules must pass.
	Verify   string         `json:"verify,omitempty"`
	Totals   Totals         `json:"totals"`
	Warnings []string       `json:"warnings,omitempty"`
	Kernels  []KernelResult `json:"kernels"`
	Nodes    []NodeResult   `json:"nodes"`
	// Where says what the nodes are of, for people.
	Where webpage.Where `json:"-"`
}

// Conclude comes to the verdict.
func (r *Report) Conclude() {
	t := r.Totals
	r.Compatible = t.Counted() > 0 && t.good() == t.Counted()
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{t.No, "not supported"}, {t.CannotBeBuilt, "impossible to build"}, {t.Unknown, "unknown"}, {t.WillBeBuilt, "to be built in the cluster"}} {
		switch {
		case part.n > 0 && parts == nil:
			parts = append(parts, share(part.n, t.Counted())+" "+part.what)
		case part.n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	switch {
	case t.Counted() == 0:
		r.Verdict = r.Subject + " is not compatible: no node is selected"
		return
	case r.Compatible:
		r.Verdict = r.Subject + " is compatible"
	case t.No+t.CannotBeBuilt == 0:
		r.Verdict = r.Subject + " may not be compatible"
	default:
		r.Verdict = r.Subject + " is not compatible"
	}
	if len(parts) > 0 {
		r.Verdict += ": " + strings.Join(parts, ", ")
	}
}

func share(part, all int) string {
	if part == 1 {
		return fmt.Sprintf("1 of %d is", all)
	}
	return fmt.Sprintf("%d of %d are", part, all)
}
