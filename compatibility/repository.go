package compatibility

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/cluster"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bounds on what is read of a repository, in bytes.
const (
	maxIndex     = 32 << 20
	maxSignature = 16 << 10
	maxVersions  = 4 << 20
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
	index   *module.Index
	// releases are those of the historic layout, where index is nil.
	releases []string
}

// ReadRepository reads what source holds and judges it as a node with this
// request would; the request's kernel and architecture are not used. An error
// means that there is nothing to answer from.
func ReadRepository(ctx context.Context, source module.Source, request module.Request) (*Repository, error) {
	if request.Verify == "" {
		request.Verify = outcome.VerifiedSignature
	}
	r := &Repository{Source: source.String(), source: source, request: request}
	data, err := source.Fetch(ctx, module.IndexName, maxIndex)
	if err == nil {
		return r, r.readIndex(ctx, data)
	}
	if e := (*module.Error)(nil); !errors.Is(err, module.ErrNotFound) && (!errors.As(err, &e) || e.Reason != outcome.SourceForbidden) {
		return nil, err
	}
	// A public bucket that cannot be listed says forbidden for what it has not.
	list, historicErr := source.Fetch(ctx, module.VersionsName, maxVersions)
	if historicErr != nil {
		if errors.Is(err, module.ErrNotFound) && errors.Is(historicErr, module.ErrNotFound) {
			return nil, &module.Error{
				Reason: outcome.SourceInvalid, What: "looking for a module repository", Where: r.Source, Err: err,
				Why: "there is neither " + module.IndexName + " nor " + module.VersionsName, Do: "Correct tap.kernelModule.source.url.",
			}
		}
		return nil, err
	}
	return r, r.readHistoric(list)
}

func (r *Repository) readIndex(ctx context.Context, data []byte) (err error) {
	if r.index, err = module.ParseIndex(data); err != nil {
		return err
	}
	if r.request.Verify != outcome.VerifiedSignature {
		return nil
	}
	// Without a key the signature need not be there to know the answer.
	refused := module.VerifyIndex(data, nil, r.request.PublicKeys)
	if e := (*module.Error)(nil); !errors.As(refused, &e) || e.Reason != outcome.SourceUnsigned {
		signature, err := r.source.Fetch(ctx, module.SignatureName, maxSignature)
		switch {
		case errors.Is(err, module.ErrNotFound):
			refused = &module.Error{
				Reason: outcome.SourceUnsigned, What: "verifying " + module.IndexName, Where: r.Source,
				Why: "the repository has no " + module.SignatureName,
			}
		case err != nil:
			return err
		default:
			refused = module.VerifyIndex(data, signature, r.request.PublicKeys)
		}
	}
	if refused == nil {
		refused = r.current()
	}
	if refused != nil && !errors.As(refused, &r.Refused) {
		return refused
	}
	return nil
}

// current says why a verified index is not taken all the same.
func (r *Repository) current() error {
	if r.index.Serial < r.request.MinSerial {
		return &module.Error{
			Reason: outcome.IndexRolledBack, What: "verifying " + module.IndexName, Where: r.Source,
			Why: fmt.Sprintf("its serial is %d, source.minSerial is %d", r.index.Serial, r.request.MinSerial),
		}
	}
	if r.index.Expires.IsZero() || r.request.Now == nil {
		return nil
	}
	end := r.index.Expires.UTC().Format("2006-01-02")
	switch left := r.index.Expires.Sub(r.request.Now()); {
	case left <= 0:
		return &module.Error{
			Reason: outcome.IndexExpired, What: "verifying " + module.IndexName, Where: r.Source, Why: "it has expired on " + end,
		}
	case left <= module.ExpiryWarning:
		r.Warnings = append(r.Warnings, "the index expires on "+end+": publish a fresh one with pfring module index")
	}
	return nil
}

func (r *Repository) readHistoric(list []byte) (err error) {
	if r.releases, err = module.ParseVersions(list); err != nil {
		return err
	}
	slices.Sort(r.releases)
	if r.request.Verify == outcome.VerifiedNone {
		r.Warnings = append(r.Warnings, "the repository is of the historic layout: nothing about its modules is verified")
		return nil
	}
	r.Refused = &module.Error{
		Reason: outcome.SourceUnsigned, What: "verifying the repository", Where: r.Source,
		Why: "it is of the historic layout, which has neither digests nor signatures",
		Do:  "Set tap.kernelModule.source.verify to none to trust it as it is, or point source.url to a repository with a signed index.",
	}
	return nil
}

// Lookup answers for a kernel as the repository does.
func (r *Repository) Lookup(ctx context.Context) Lookup {
	return func(kernel, arch string) Answer {
		a := r.lookup(ctx, kernel, arch)
		if r.Refused != nil && a.Supported == Yes {
			a.Supported, a.Reason, a.Remedy = No, string(r.Refused.Reason), r.Refused.Remedy()
			a.Message = "The repository has a module, which no node takes: " + why(r.Refused) + "."
		}
		return a
	}
}

func (r *Repository) lookup(ctx context.Context, kernel, arch string) Answer {
	if r.index == nil {
		return r.lookupHistoric(ctx, kernel, arch)
	}
	entry, err := r.index.Find(kernel, arch, r.request.Version)
	if err != nil {
		return missing(kernel, arch, err)
	}
	return Answer{Supported: Yes, Present: true, Version: entry.Version, Signed: entry.Signed}
}

// lookupHistoric goes by the list of releases, which tells neither version nor
// architecture. Where the release's own name does not tell the latter, the
// module is read as the node would.
func (r *Repository) lookupHistoric(ctx context.Context, kernel, arch string) Answer {
	if _, listed := slices.BinarySearch(r.releases, kernel); !listed {
		return missing(kernel, arch, nil)
	}
	if r.Refused != nil || archOf(kernel) == arch {
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
	a := Answer{Supported: No, Reason: string(e.Reason), Message: "The module listed for it does not fit: " + why(e) + ".", Remedy: e.Remedy()}
	if info, _ := outcome.Describe(e.Reason); info.Group == outcome.GroupRepository && e.Reason != outcome.NoModuleForKernel {
		a.Supported, a.Message = Unknown, "The module listed for it could not be read: "+why(e)+"."
	}
	return a
}

func missing(kernel, arch string, err error) Answer {
	a := Answer{
		Supported: No, Reason: string(outcome.NoModuleForKernel),
		Message: fmt.Sprintf("The repository has no module for kernel %s on %s.", kernel, arch),
		Remedy: fmt.Sprintf("Build PF_RING for it (make -C kernel BUILD_KERNEL=%s), put pf_ring.ko into the repository's folder and run: pfring module index DIR",
			kernel),
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
		switch arch := cluster.GOARCH(part); arch {
		case "amd64", "arm64":
			return arch
		}
	}
	return ""
}
