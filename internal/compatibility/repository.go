package compatibility

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Repository is what a module source holds, read once for any number of nodes.
type Repository struct {
	// Source is its address without secrets.
	Source string
	// Refused is why a node would take nothing from it, such as an index whose
	// signature does not fit; nil if it would.
	Refused *module.Error
	// Warnings are for people.
	Warnings []string

	source  module.Source
	request module.Request
	listing *module.Listing
}

// ReadRepository reads what source holds and judges it as a node with this
// request would; the request's kernel and architecture are not used. An error
// means that there is nothing to answer from.
func ReadRepository(ctx context.Context, source module.Source, request module.Request) (*Repository, error) {
	listing, err := module.List(ctx, source, request)
	r := &Repository{Source: source.String(), source: source, request: request, listing: listing}
	if err != nil && (listing == nil || !errors.As(err, &r.Refused) || !refuses(r.Refused.Reason)) {
		return nil, err
	}
	r.Warnings = listing.Warnings
	return r, nil
}

// Verify is what modules must pass.
func (r *Repository) Verify() outcome.Verified { return r.request.Verify }

// Listing is what the repository says it holds.
func (r *Repository) Listing() *module.Listing { return r.listing }

// refuses tells reasons that hold on every node from those that may be this
// machine's alone, such as a network that does not reach the repository.
func refuses(reason outcome.Reason) bool {
	switch reason {
	case outcome.SourceUnsigned, outcome.SignatureInvalid, outcome.IndexExpired, outcome.IndexRolledBack:
		return true
	}
	return false
}

// Lookup answers for a kernel as the repository does.
func (r *Repository) Lookup(ctx context.Context) Lookup {
	return func(kernel, arch string) Answer {
		a := r.lookup(ctx, kernel, arch)
		if r.Refused != nil && a.Supported == Yes {
			a.Supported, a.Reason, a.Remedy = No, string(r.Refused.Reason), r.Refused.Remedy()
			a.Message = "The repository has a module that no node accepts: " + why(r.Refused) + "."
		}
		return a
	}
}

func (r *Repository) lookup(ctx context.Context, kernel, arch string) Answer {
	if r.listing.Index == nil {
		return r.lookupHistoric(ctx, kernel, arch)
	}
	entry, err := r.listing.Index.Find(kernel, arch, r.request.Version)
	if err != nil {
		return missing(kernel, arch, err)
	}
	a := Answer{Supported: Yes, Present: true, Version: entry.Version, Signed: entry.Signed, Builds: r.listing.Index.Builds(kernel, arch, r.request.Version)}
	if len(a.Builds) > 1 {
		a.Message = fmt.Sprintf("The repository has modules for %d builds of this kernel release; a node takes the one for what its uname -v prints.", len(a.Builds))
	}
	return a
}

// lookupHistoric goes by the list of releases, which tells neither version nor
// architecture. Where the release's own name does not tell the latter, the
// module is read as the node would.
func (r *Repository) lookupHistoric(ctx context.Context, kernel, arch string) Answer {
	_, listed := slices.BinarySearch(r.listing.Releases, kernel)
	switch {
	// An image with the tag "all" does not list its kernels.
	case !listed && !strings.HasPrefix(r.Source, "oci://"):
		return missing(kernel, arch, nil)
	case !listed && r.Refused != nil:
		return Answer{
			Supported: Unknown, Reason: string(r.Refused.Reason), Remedy: r.Refused.Remedy(),
			Message: "The images do not list their kernels, and no node accepts them: " + why(r.Refused) + ".",
		}
	case listed && (r.Refused != nil || archOf(kernel) == arch):
		return Answer{Supported: Yes, Present: true}
	}
	request := r.request
	request.Kernel, request.Arch = kernel, arch
	got, err := module.Get(ctx, r.source, request)
	if err == nil {
		return Answer{Supported: Yes, Present: true, Version: got.Info.Version, Signed: got.Info.Signed}
	}
	e := (*module.Error)(nil)
	if !errors.As(err, &e) {
		return Answer{Supported: Unknown, Reason: string(outcome.Internal), Message: err.Error()}
	}
	if e.Reason == outcome.NoModuleForKernel && !listed {
		return missing(kernel, arch, nil)
	}
	a := Answer{Supported: No, Reason: string(e.Reason), Message: "The repository's module for it does not fit: " + why(e) + ".", Remedy: e.Remedy()}
	if info, _ := outcome.Describe(e.Reason); info.Group == outcome.GroupRepository && e.Reason != outcome.NoModuleForKernel {
		a.Supported, a.Message = Unknown, "The repository's module for it could not be read: "+why(e)+"."
	}
	return a
}

func missing(kernel, arch string, err error) Answer {
	a := Answer{
		Supported: No, Reason: string(outcome.NoModuleForKernel),
		Message: fmt.Sprintf("The repository has no module for kernel %s on %s.", kernel, arch),
		Remedy:  verdict.BuildRemedy(kernel),
	}
	e := (*module.Error)(nil)
	if errors.As(err, &e) && e.Do != "" {
		// Another version is there.
		a.Message, a.Remedy = "The repository: "+why(e)+".", e.Do
	}
	return a
}

func why(e *module.Error) string {
	if e.Why == "" && e.Err != nil {
		return e.Err.Error()
	}
	return e.Why
}

// archOf is the architecture that a kernel release names itself after, or "".
func archOf(kernel string) string {
	for _, part := range strings.FieldsFunc(kernel, func(c rune) bool { return c == '.' || c == '-' || c == '+' }) {
		if arch, err := module.ParseArch(part); err == nil {
			return arch
		}
	}
	return ""
}
