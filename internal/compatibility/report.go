package compatibility

import "fmt"

// Supported is the answer for one node.
type Supported string

// The answers. Unknown stands where one cannot tell without trying; Excluded
// where the values leave the node out, which does not count.
const (
	Yes      Supported = "yes"
	No       Supported = "no"
	Unknown  Supported = "unknown"
	Excluded Supported = "excluded"
)

// Reason codes beside those of package outcome; they are never renamed.
const (
	ReasonPlatformForbids = "platform-forbids-modules"
	ReasonPlatformSigned  = "platform-needs-signed-module"
	ReasonPlatformUnclear = "platform-unclear"
	ReasonNotReported     = "kernel-not-reported"
	ReasonNotSelected     = "not-selected"
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
	SubjectCluster = "Cluster"
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
}

func (t *Totals) add(s Supported) {
	switch s {
	case Yes:
		t.Yes++
	case No:
		t.No++
	case Excluded:
		t.Excluded++
	default:
		t.Unknown++
	}
}

// Counted is how many nodes count for the verdict.
func (t Totals) Counted() int { return t.Yes + t.No + t.Unknown }

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
}

// Conclude fills in the verdict.
func (r *Report) Conclude() {
	t := r.Totals
	switch {
	case t.Counted() == 0:
		r.Verdict = r.Subject + " is not compatible: no node is selected"
	case r.Compatible:
		r.Verdict = r.Subject + " is compatible"
	case t.No == 0:
		r.Verdict = fmt.Sprintf("%s may not be compatible: %s unknown", r.Subject, share(t.Unknown, t.Counted()))
	default:
		r.Verdict = fmt.Sprintf("%s is not compatible: %s not supported", r.Subject, share(t.No, t.Counted()))
		if t.Unknown > 0 {
			r.Verdict += fmt.Sprintf(", %d unknown", t.Unknown)
		}
	}
}

func share(part, all int) string {
	if part == 1 {
		return fmt.Sprintf("1 of %d is", all)
	}
	return fmt.Sprintf("%d of %d are", part, all)
}
