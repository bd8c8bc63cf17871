package supply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StatusVersion is the version of the status that this package writes and the
// highest that it reads.
const StatusVersion = 1

// State is how far a kernel's module is.
type State string

// The states of a kernel.
const (
	// Queued waits for its turn, or for the pause after a failure to end.
	Queued   State = "queued"
	Building State = "building"
	Built    State = "built"
	Failed   State = "failed"
	// Unsupported means that no build is tried: there is no recipe for the system.
	Unsupported State = "unsupported"
	// Sourced means that the module repository of the values has it.
	Sourced State = "sourced"
)

// Reason says why a kernel has no module, or why the controller does not work
// as it should. Reasons are kebab-case and never renamed.
type Reason string

// The reasons of a kernel.
const (
	NoRecipe        Reason = "no-recipe"
	NoNode          Reason = "no-node"
	HeadersMissing  Reason = "headers-missing"
	NoEgress        Reason = "no-egress"
	SourceMismatch  Reason = "source-mismatch"
	CompileFailed   Reason = "compile-failed"
	TooNew          Reason = "kernel-too-new"
	TimedOut        Reason = "timed-out"
	OutOfMemory     Reason = "out-of-memory"
	DiskFull        Reason = "disk-full"
	ImageFailed     Reason = "image-pull-failed"
	PodRefused      Reason = "pod-refused"
	PodSecurity     Reason = "pod-security"
	QuotaExceeded   Reason = "quota-exceeded"
	NotAllowed      Reason = "not-allowed"
	LogUnreadable   Reason = "log-unreadable"
	LogEndless      Reason = "log-endless"
	NoModule        Reason = "no-module"
	WrongModule     Reason = "wrong-module"
	PodLost         Reason = "pod-lost"
	StoreFull       Reason = "store-full"
	StoreFailed     Reason = "store-failed"
	SourceFailed    Reason = "source-failed"
	ForeignObject   Reason = "foreign-object"
	SigningKeyWrong Reason = "signing-key-invalid"
	OtherFailure    Reason = "build-failed"
	// OtherBuild is a problem: the module of a kernel is built, and a node refuses it.
	OtherBuild Reason = "other-build"
)

// OtherBuildRemedy is what to do about a node that refuses the module which is built
// for kernels of its name.
const OtherBuildRemedy = "Update the node to the build of this kernel release that the other nodes run, or take its module from a repository: pfring module build --repository, then set source.url."

// Status is what the controller tells of itself, in the ConfigMap Names.Status.
type Status struct {
	SchemaVersion int `json:"schemaVersion"`
	// Updated is when it was written: with a change, and not more often.
	Updated time.Time `json:"updated"`
	// Controller is the version of the controller.
	Controller string `json:"controller"`
	// Index is what is published.
	Index IndexStatus `json:"index"`
	// Problems are what keeps the controller as a whole from its work.
	Problems []Problem `json:"problems,omitempty"`
	// Kernels are sorted by kernel release and architecture.
	Kernels []KernelStatus `json:"kernels"`
}

// IndexStatus describes the published index.
type IndexStatus struct {
	Serial  int64     `json:"serial"`
	Modules int       `json:"modules"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// URL is where agents read it.
	URL string `json:"url"`
}

// Problem is a fault and what to do about it.
type Problem struct {
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// KernelStatus is the state of one kernel's module.
type KernelStatus struct {
	Kernel  string `json:"kernel"`
	Arch    string `json:"arch"`
	OSImage string `json:"osImage,omitempty"`
	// Nodes is how many nodes run it that are to have PF_RING; 0 for one that
	// only supply.kernels names, or that is kept.
	Nodes int   `json:"nodes"`
	State State `json:"state"`
	// Step is that of a build: waiting, starting, packages, source, headers,
	// compile, deliver, publish.
	Step string `json:"step,omitempty"`
	// Since is when State began, and LastSeen when a node last had the kernel;
	// it is not written while nodes have it.
	Since    time.Time `json:"since,omitzero"`
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// Tries counts the builds begun for Version since the last that went well,
	// and NextTry is when the next may begin.
	Tries   int       `json:"tries,omitempty"`
	NextTry time.Time `json:"nextTry,omitzero"`
	// Version of PF_RING, which is built or has been.
	Version string `json:"version,omitempty"`
	// Size is the module's in the store, in bytes.
	Size int64 `json:"size,omitempty"`
	// Reason, Message and Remedy say why there is no module, and Log has the
	// lines of the build's log that tell most.
	Reason  Reason   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
	Log     []string `json:"log,omitempty"`
	// Job is that of the build that runs.
	Job string `json:"job,omitempty"`
	// Inputs is a digest of what builds are made from: with another, Tries begin
	// again.
	Inputs string `json:"inputs,omitempty"`
}

// Find returns the state of a kernel, nil if there is none.
func (s *Status) Find(kernel, arch string) *KernelStatus {
	for i := range s.Kernels {
		if s.Kernels[i].Kernel == kernel && s.Kernels[i].Arch == arch {
			return &s.Kernels[i]
		}
	}
	return nil
}

// ParseStatus reads a status. Fields of a newer version are ignored, another
// schemaVersion is refused.
func ParseStatus(data []byte) (*Status, error) {
	var s Status
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("cannot read the supply controller's status: %w", err)
	}
	if s.SchemaVersion < 1 || s.SchemaVersion > StatusVersion {
		return nil, fmt.Errorf("cannot read the supply controller's status: schemaVersion is %d, this program reads up to %d", s.SchemaVersion, StatusVersion)
	}
	return &s, nil
}

// configMapGetter is the part of a client that ReadStatus needs.
type configMapGetter interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.ConfigMap, error)
}

// ReadStatus reads the status of the release whose objects have these names. The error
// is the API's, or nil with a nil status where the controller has not written any yet.
func ReadStatus(ctx context.Context, configMaps configMapGetter, names Names) (*Status, error) {
	cm, err := configMaps.Get(ctx, names.Status, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	text, found := cm.Data[StatusKey]
	if !found {
		return nil, nil
	}
	return ParseStatus([]byte(text))
}
