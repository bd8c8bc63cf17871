package prereq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// sourceLimit lets --source-timeout be raised a little.
const sourceLimit = 2 * time.Minute

func autoChecks() []Check {
	return []Check{
		{
			ID: "auto.source-reachable", Mode: ModeAuto, Title: "the module repository answers, from here",
			Why:     "Each node fetches its module there. This was tried from where this command runs, with your own credentials.",
			Settles: true, limit: sourceLimit, look: sourceReachable,
		},
		{
			ID: "auto.index-readable", Mode: ModeAuto, Title: "the repository's index can be read", Needs: []string{"auto.source-reachable"},
			Why:  "Without an index, or the historic list of kernels, no node finds its module.",
			look: indexReadable,
		},
		{
			ID: "auto.index-verified", Mode: ModeAuto, Title: "the index is what source.verify asks for", Needs: []string{"auto.index-readable"},
			Why:  "A node loads nothing that was not verified as the values ask, and stays on libpcap.",
			look: indexVerified,
		},
		{
			ID: "auto.index-fresh", Mode: ModeAuto, Title: "the index is fresh", Needs: []string{"auto.index-readable"},
			Why:  "Nodes refuse an index that has expired, or that is older than source.minSerial.",
			look: indexFresh,
		},
		{
			ID: "auto.kernels", Mode: ModeAuto, Title: "there is a module for each kernel", Needs: []string{"nodes.selected", "auto.index-readable"},
			Why:  "A module fits exactly one kernel release; nodes without one stay on libpcap.",
			look: kernelsCovered,
		},
	}
}

// repository is what auto's source holds, or a *module.Error.
func (e *env) repository(ctx context.Context) (*compatibility.Repository, error) {
	return fact(e, "repository", func() (*compatibility.Repository, error) {
		source, request, _, err := e.OpenSource(ctx, e.target(ModeAuto).Values.Tap.KernelModule)
		if err != nil {
			return nil, err
		}
		if e.SourceTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, e.SourceTimeout)
			defer cancel()
		}
		return compatibility.ReadRepository(ctx, source, request)
	})
}

// onNodesOnly tells a source that is a volume of the pods.
func (e *env) onNodesOnly() bool {
	return strings.HasPrefix(e.target(ModeAuto).Values.Tap.KernelModule.Source.URL, "file://")
}

func sourceReachable(ctx context.Context, e *env) Finding {
	if e.onNodesOnly() {
		return skip("the source is a volume of the agent's pods, which is not seen from here")
	}
	r, err := e.repository(ctx)
	if err == nil {
		return ok(r.Source + " answers")
	}
	fault := (*module.Error)(nil)
	if !errors.As(err, &fault) {
		return fail(string(outcome.SourceInvalid), plain(err), "Correct tap.kernelModule.source.")
	}
	switch fault.Reason {
	case outcome.SourceUnreachable, outcome.SourceForbidden, outcome.SourceTLSUntrusted, outcome.SourceTimeout:
		return fail(string(fault.Reason), reason(fault), fault.Remedy())
	}
	return ok(fault.Where + " answers")
}

func indexReadable(ctx context.Context, e *env) Finding {
	r, err := e.repository(ctx)
	if err == nil {
		if index := r.Listing().Index; index != nil {
			return ok(fmt.Sprintf("serial %d with %s", index.Serial, text.CountOrNo(len(index.Modules), "module")))
		}
		return ok("the historic list of kernels, with " + text.CountOrNo(len(r.Listing().Releases), "kernel"))
	}
	return repositoryFault(err)
}

func repositoryFault(err error) Finding {
	if fault := (*module.Error)(nil); errors.As(err, &fault) {
		return fail(string(fault.Reason), reason(fault), fault.Remedy())
	}
	return fail(string(outcome.SourceInvalid), plain(err), "Correct tap.kernelModule.source.")
}

func indexVerified(ctx context.Context, e *env) Finding {
	r, err := e.repository(ctx)
	if err != nil {
		return repositoryFault(err)
	}
	asked := e.target(ModeAuto).Values.Tap.KernelModule.Source
	switch {
	case r.Refused != nil && (r.Refused.Reason == outcome.SourceUnsigned || r.Refused.Reason == outcome.SignatureInvalid):
		return fail(string(r.Refused.Reason), reason(r.Refused), r.Refused.Remedy())
	case r.Refused != nil:
		return skip("what came first stands in the way: " + reason(r.Refused))
	case asked.Verify == string(outcome.VerifiedNone):
		return warn("verification-off", "source.verify is none: nothing is verified", "Sign the index with `pfring module sign` and set tap.kernelModule.source.verify to signature.")
	case asked.Verify == string(outcome.VerifiedSignature) && r.Listing().Proof != outcome.VerifiedSignature:
		return warn("key-not-at-hand", "the public keys are in the Secret "+asked.PublicKeySecret+"; the signature was not checked here", "Give the key with --public-key to check it here too.")
	}
	return ok("verified by " + string(r.Listing().Proof))
}

func indexFresh(ctx context.Context, e *env) Finding {
	r, err := e.repository(ctx)
	if err != nil {
		return repositoryFault(err)
	}
	if r.Refused != nil && (r.Refused.Reason == outcome.IndexExpired || r.Refused.Reason == outcome.IndexRolledBack) {
		return fail(string(r.Refused.Reason), reason(r.Refused), r.Refused.Remedy())
	}
	index := r.Listing().Index
	if index == nil {
		return ok("a historic list does not expire")
	}
	if index.Expires.IsZero() {
		return ok("it does not expire")
	}
	left := index.Expires.Sub(e.Now())
	end := index.Expires.UTC().Format("2006-01-02 15:04 MST")
	if left < module.ExpiryWarning {
		return warn("index-expires-soon", fmt.Sprintf("it expires on %s, in %d days", end, int(left.Hours()/24)), "Publish a fresh one: pfring module index DIR, then pfring module sign DIR")
	}
	return ok("it expires on " + end)
}

func kernelsCovered(ctx context.Context, e *env) Finding {
	if e.onNodesOnly() {
		return skip("the source is a volume of the agent's pods, which is not seen from here")
	}
	r, err := e.repository(ctx)
	if err != nil {
		return repositoryFault(err)
	}
	kernels, err := e.kernels(ctx, ModeAuto)
	if err != nil {
		return unread("the nodes", err)
	}
	find := r.Lookup(ctx)
	var lacking, unknown []string
	for _, k := range sortedKernels(kernels) {
		// Why the whole repository is refused is told by the checks above.
		switch answer := find(k.release, k.arch); {
		case answer.Present:
		case answer.Supported == compatibility.Unknown:
			unknown = append(unknown, fmt.Sprintf("%s (%s): %s", k, text.CountOrNo(kernels[k], "node"), answer.Message))
		default:
			lacking = append(lacking, fmt.Sprintf("%s (%s)", k, text.CountOrNo(kernels[k], "node")))
		}
	}
	remedy := "Build them into the repository: pfring module build --repository DIR (docs/build.md); pfring plan says which way fits this cluster."
	switch {
	case len(kernels) == 0:
		return skip("no selected node can take a module")
	case len(lacking) == len(kernels):
		return fail("no-module-for-kernel", "the repository has no module for any of the "+text.CountOrNo(len(kernels), "kernel"), remedy, some(lacking)...)
	case len(lacking) > 0:
		return warn("no-module-for-kernel", fmt.Sprintf("%d of %d kernels have no module; their nodes stay on libpcap", len(lacking), len(kernels)), remedy, some(slices.Concat(lacking, unknown))...)
	case len(unknown) > 0:
		return warn("module-unclear", fmt.Sprintf("for %d of %d kernels it cannot be told", len(unknown), len(kernels)), remedy, some(unknown)...)
	}
	return ok("all " + text.CountOrNo(len(kernels), "kernel") + " have one")
}

// reason is why something failed, without the remedy.
func reason(e *module.Error) string {
	text := e.What
	if e.Where != "" {
		text += " (" + e.Where + ")"
	}
	switch {
	case e.Why != "":
		text += ": " + e.Why
	case e.Err != nil:
		text += ": " + e.Err.Error()
	}
	return plain(errors.New(text))
}
