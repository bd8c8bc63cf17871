// Package verdict decides what a node can have: from what its Node object shows and
// what a source of modules answers about its kernel. It is the one judgement that
// compatibility, plan, prereq check, status and module build show, so that none of
// them contradicts another.
//
// It reads nothing itself: nodes, answers and the supply controller's status come in
// as values. It must not import the packages that print or that talk to a cluster or
// a registry.
package verdict

// Can is the answer for one node or kernel.
type Can string

// The answers.
const (
	// Yes: there is a module, and no obstacle is known.
	Yes Can = "yes"
	// No: there is none, or the node does not take it.
	No Can = "no"
	// WillBeBuilt: the supply controller builds the module in the cluster, and
	// CannotBeBuilt: it would have to, and cannot.
	WillBeBuilt   Can = "will-be-built"
	CannotBeBuilt Can = "cannot-be-built"
	// Unknown: it cannot be determined without trying.
	Unknown Can = "unknown"
	// Excluded: the values leave the node out, so it does not count.
	Excluded Can = "excluded"
)

// Good tells whether the node needs nobody to do anything.
func (c Can) Good() bool { return c == Yes || c == WillBeBuilt }

// Reason codes beside those of package outcome and of the sources; they are never
// renamed.
const (
	PlatformForbids  = "platform-forbids-modules"
	PlatformSigned   = "platform-needs-signed-module"
	PlatformUnclear  = "platform-unclear"
	NotReported      = "kernel-not-reported"
	NotSelected      = "not-selected"
	ArchUnsupported  = "architecture-unsupported"
	ToBeBuilt        = "will-be-built"
	Building         = "building"
	BuildUntried     = "build-untried"
	BuildFailed      = "build-failed"
	BuildUnsupported = "unsupported"
	SupplyUnknown    = "supply-unknown"
)

// Lookup answers for exactly one kernel release and GOARCH architecture.
type Lookup func(kernel, arch string) Answer

// Answer is what a source of modules says about one kernel.
type Answer struct {
	// Supported is Unknown where one cannot tell.
	Supported Can
	// Present says that there is a module, whether or not a node takes it.
	Present bool
	// Version is PF_RING's; empty when unknown or when there is no module.
	Version string
	// Signed says that the module has a kernel module signature.
	Signed bool
	// Builds are what uname -v prints on the nodes that the modules for this kernel
	// release were built for; none where one of them fits any build.
	Builds []string
	// Mapping and Image are KMM's for this kernel.
	Mapping, Image string
	// Reason is one of the reason codes above, of a source or of package outcome;
	// Message and Remedy are a sentence each.
	Reason, Message, Remedy string
	// Stalls says that KMM fails on this kernel, and with it on all others that
	// have a mapping.
	Stalls bool
}

// Verdict is what one node can have, and why.
type Verdict struct {
	Answer
	// Source is the public page that a platform's facts are from, or "".
	Source string
}
