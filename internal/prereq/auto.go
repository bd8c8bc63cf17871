package prereq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// sourceLimit lets --source-timeout be raised a little.
const sourceLimit = 2 * time.Minute

func autoChecks() []Check {
	return []Check{
		{
			ID: "auto.source-reachable", Mode: ModeAuto, Title: "the module repository answers, from here",
			Why:     "Each node fetches its module there. This check runs from this machine, with your own credentials.",
			Settles: true, limit: sourceLimit, look: sourceReachable,
		},
		{
			ID: "auto.index-readable", Mode: ModeAuto, Title: "the repository's index can be read", Needs: []string{"auto.source-reachable"},
			Why:  "Without an index, or the historic list of kernels, no node finds its module.",
			look: indexReadable,
		},
		{
			ID: "auto.index-verified", Mode: ModeAuto, Title: "the index meets source.verify", Needs: []string{"auto.index-readable"},
			Why:  "A node loads nothing that was not verified as the values ask, and stays on libpcap.",
			look: indexVerified,
		},
		{
			ID: "auto.index-fresh", Mode: ModeAuto, Title: "the index is fresh", Needs: []string{"auto.index-readable"},
			Why:  "Nodes refuse an index that has expired, or that is older than source.minSerial.",
			look: indexFresh,
		},
		{
			ID: "auto.kernels", Mode: ModeAuto, Title: "there is a module for each kernel", Needs: []string{"nodes.selected"},
			Why:  "A module fits exactly one kernel release; nodes without one stay on libpcap.",
			look: kernelsCovered,
		},
	}
}

// repository is what auto's source holds, or a *module.Error.
func (e *env) repository(ctx context.Context) (*compatibility.Repository, error) {
	return fact(e, "repository", func() (*compatibility.Repository, error) {
		r, _, err := e.ReadSource(ctx, e.target(ModeAuto).Values.Tap.KernelModule)
		return r, err
	})
}

// onNodesOnly tells a source that is a volume of the pods.
func (e *env) onNodesOnly() bool {
	return strings.HasPrefix(e.target(ModeAuto).Values.Tap.KernelModule.Source.URL, "file://")
}

// elsewhere says why the source cannot be asked from here, or is "".
func (e *env) elsewhere() string {
	switch {
	case e.target(ModeAuto).Values.Tap.KernelModule.Source.URL == "":
		return "the values name no module repository: the cluster builds its modules"
	case e.onNodesOnly():
		return "the source is a volume of the agent's pods, which cannot be read from here"
	}
	return ""
}

func sourceReachable(ctx context.Context, e *env) Finding {
	if why := e.elsewhere(); why != "" {
		return skip(why)
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
		return skip("an earlier problem prevents it: " + reason(r.Refused))
	case asked.Verify == string(outcome.VerifiedNone):
		return warn("verification-off", "source.verify is none: nothing is verified", "Sign the index with `pfring module sign` and set tap.kernelModule.source.verify to signature.")
	case asked.Verify == string(outcome.VerifiedSignature) && r.Listing().Proof != outcome.VerifiedSignature:
		return warn("key-not-at-hand", "the public keys are in the Secret "+asked.PublicKeySecret+"; the signature was not checked", "To check it, set --public-key.")
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
	left := index.Expires.Sub(e.now())
	end := index.Expires.UTC().Format("2006-01-02 15:04 MST")
	if left < module.ExpiryWarning {
		return warn("index-expires-soon", fmt.Sprintf("it expires on %s, in %d days", end, int(left.Hours()/24)), "Publish a fresh one: pfring module index DIR, then pfring module sign DIR")
	}
	return ok("it expires on " + end)
}

// kernelsCovered judges the nodes as pfring compatibility does.
func kernelsCovered(ctx context.Context, e *env) Finding {
	k := e.target(ModeAuto).Values.Tap.KernelModule
	if why := e.elsewhere(); why != "" && !k.Supplied() {
		return skip(why)
	}
	report, failed := e.judged(ctx, k)
	if failed != nil {
		return *failed
	}
	g := gapsOf(report)
	if len(g.lacking)+len(g.unknown) > 1 || g.remedy == "" {
		g.remedy = "Build them into the repository: pfring module build --repository DIR (docs/build.md). pfring plan shows which way fits this cluster."
	}
	switch {
	case g.kernels == 0:
		return skip("no selected node can load a module")
	case g.unbuilt == g.kernels:
		return fail("no-module-for-kernel", "the cluster can build a module for none of the "+text.CountOrNo(g.kernels, "kernel"), "Do what supply.kernels says about each.")
	case len(g.lacking)+g.unbuilt == g.kernels && len(g.lacking) > 0:
		return fail("no-module-for-kernel", "no module for any of the "+text.CountOrNo(g.kernels, "kernel"), g.remedy, grouped(g.lacking)...)
	case len(g.lacking) > 0:
		return warn("no-module-for-kernel", fmt.Sprintf("%d of %d kernels have no module; their nodes stay on libpcap", len(g.lacking), g.kernels), g.remedy, grouped(g.lacking, g.unknown)...)
	case len(g.unknown) > 0:
		return warn("module-unclear", fmt.Sprintf("unknown for %d of %d kernels", len(g.unknown), g.kernels), g.remedy, grouped(g.unknown)...)
	case g.unbuilt > 0:
		return skip(fmt.Sprintf("%d of %s cannot be built, see supply.kernels; the others have a module, or get one", g.unbuilt, text.CountOrNo(g.kernels, "kernel")))
	case g.built > 0:
		return ok(fmt.Sprintf("all %s have one, or get one that is built in the cluster (%d)", text.CountOrNo(g.kernels, "kernel"), g.built))
	}
	return ok("all " + text.CountOrNo(g.kernels, "kernel") + " have one")
}

// gaps are the kernels of a report that have no module, or of which nobody knows.
type gaps struct {
	// lacking and unknown tell of each kernel.
	lacking, unknown []detail
	// kernels counts those that a module can help, built those of them whose
	// module the cluster builds.
	kernels, built int
	// unbuilt counts those that the cluster cannot build: supply.kernels tells of
	// them.
	unbuilt int
	// remedy is the first kernel's.
	remedy string
}

func gapsOf(report compatibility.Report) gaps {
	var g gaps
	for _, sum := range report.Kernels {
		if sum.Counted() == 0 || sum.Kernel == "" || sum.Reason == verdict.PlatformForbids || sum.Reason == verdict.ArchUnsupported {
			continue
		}
		g.kernels++
		if sum.No == 0 && sum.Unknown == 0 && sum.CannotBeBuilt > 0 {
			g.unbuilt++
			continue
		}
		item := fmt.Sprintf("%s %s (%s)", sum.Kernel, sum.Arch, text.CountOrNo(sum.Counted(), "node"))
		switch {
		case sum.Yes+sum.WillBeBuilt == sum.Counted():
			g.built += min(1, sum.WillBeBuilt)
			continue
		case sum.Reason == verdict.PlatformSigned || sum.Reason == verdict.PlatformUnclear:
			continue // nodes.platform tells of them
		case sum.No+sum.CannotBeBuilt > 0 && sum.Reason != string(outcome.NoModuleForKernel):
			g.lacking = append(g.lacking, about(item, sum.Message))
		case sum.No+sum.CannotBeBuilt > 0:
			g.lacking = append(g.lacking, about(item, ""))
		default:
			g.unknown = append(g.unknown, about(item, sum.Message))
		}
		if g.remedy == "" {
			g.remedy = sum.Remedy
		}
	}
	return g
}

// judged is what the nodes of auto can have, by the one judgement; failed says why
// that cannot be determined.
func (e *env) judged(ctx context.Context, k valuesschema.KernelModule) (r compatibility.Report, failed *Finding) {
	return e.judgedBy(ctx, k, true)
}

// judgedWithout is judged, as if the values named no source.
func (e *env) judgedWithout(ctx context.Context, k valuesschema.KernelModule) (r compatibility.Report, failed *Finding) {
	return e.judgedBy(ctx, k, false)
}

func (e *env) judgedBy(ctx context.Context, k valuesschema.KernelModule, source bool) (r compatibility.Report, failed *Finding) {
	finding := func(f Finding) (compatibility.Report, *Finding) { return r, &f }
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding(unread("the nodes", err))
	}
	g := release.Gathered{Supply: verdict.Supply{Version: k.Supply.PFRingVersion, AnySystem: k.Supply.Builder.Script != ""}}
	for _, n := range nodes {
		n.Excluded, n.LeftOut = !n.in[ModeAuto], n.leftOut[ModeAuto]
		g.Nodes = append(g.Nodes, n.Node)
	}
	if source && e.elsewhere() == "" {
		repository, err := e.repository(ctx)
		if err != nil {
			return finding(skip("depends on auto.index-readable"))
		}
		if repository.Refused != nil && !k.Supplied() {
			return finding(skip("no node accepts anything from the index: " + reason(repository.Refused)))
		}
		g.Source = repository.Lookup(ctx)
	}
	if k.Supplied() {
		// Without its status its recipes are gone by.
		g.Supply.Status, _ = e.supplyStatus(ctx)
	}
	return g.Report(k), nil
}

// reason is why something failed, without the remedy.
func reason(e *module.Error) string { return plain(errors.New(e.Problem())) }
