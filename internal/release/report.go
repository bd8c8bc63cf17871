package release

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// lookups is how many kernels are looked up at a time where that takes a
// request each.
const lookups = 8

// Question is what a report is made from.
type Question struct {
	Values valuesschema.Values
	// Release and Namespace are those of the installation, for the names of KMM's
	// Module; "" is the chart's default.
	Release, Namespace string
	// Nodes reads the nodes, and marks those that targets leave out.
	Nodes func(ctx context.Context, targets cluster.Targets) ([]cluster.Node, error)
	// Supply reads the status of the supply controller; nil where there is no
	// cluster to ask.
	Supply func(ctx context.Context) (*supply.Status, error)
	Access *Access
	// Otherwise answers when the source cannot be read; nil makes that an error.
	Otherwise compatibility.Lookup
	// Unasked leaves the source alone: Otherwise answers at once.
	Unasked bool
}

// Gathered is all that was read for a question. What it holds is enough to judge
// other values, too, as long as they name the same source.
type Gathered struct {
	Nodes []cluster.Node
	// Source answers for the repository or the mappings of the values; nil where they
	// name none.
	Source verdict.Lookup
	Supply verdict.Supply
	// About has source, verification and warnings.
	About compatibility.Report
}

// answers is what nodes can have by values k: their source, and what the supply
// controller builds where that lacks something, as the agent asks them.
func (g Gathered) answers(k valuesschema.KernelModule) verdict.Lookup {
	source := g.Source
	if source == nil {
		source = func(_, _ string) verdict.Answer {
			return verdict.Answer{
				Supported: verdict.No, Reason: string(outcome.NoModuleForKernel), Message: "The values name no module repository, and the supply controller is off.",
				Remedy: "Set tap.kernelModule.supply.enabled, or name a repository in tap.kernelModule.source.url.",
			}
		}
	}
	switch supplied := k.Supplied(); {
	case supplied && g.Source != nil:
		return verdict.Or(source, g.Supply.Lookup(g.Nodes))
	case supplied:
		return g.Supply.Lookup(g.Nodes)
	}
	return source
}

// Report judges the nodes by values k.
func (g Gathered) Report(k valuesschema.KernelModule) compatibility.Report {
	r := compatibility.Match(g.Nodes, g.answers(k))
	r.Mode, r.Source, r.Verify, r.Warnings = k.Mode, g.About.Source, g.About.Verify, g.About.Warnings
	r.Conclude()
	return r
}

// Report reads nodes and source, at the same time, and matches them.
func (q Question) Report(ctx context.Context) (compatibility.Report, error) {
	g, err := q.Gather(ctx)
	if err != nil {
		return compatibility.Report{}, err
	}
	return g.Report(q.asked()), nil
}

// asked are the values with the source that is asked instead of theirs.
func (q Question) asked() valuesschema.KernelModule {
	k := q.Values.Tap.KernelModule
	k.Source.URL = cmp.Or(q.Access.URL, k.Source.URL)
	return k
}

// Gather reads nodes and source, at the same time, and what the source has for each
// of their kernels.
func (q Question) Gather(ctx context.Context) (g Gathered, err error) {
	targets, err := Targets(q.Values.Tap)
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	list := make(chan error, 1)
	go func() {
		nodes, err := q.Nodes(ctx, targets)
		g.Nodes = nodes
		if err != nil {
			// Without nodes nobody needs the source, however slowly it answers.
			cancel(err)
		}
		list <- err
	}()
	find, about, err := q.source(ctx)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return Gathered{}, cause
	}
	if err != nil {
		return Gathered{}, err
	}
	if err := <-list; err != nil {
		return Gathered{}, err
	}
	g.About = about
	if find != nil {
		ctx, stop := context.WithTimeout(ctx, q.Access.Timeout)
		defer stop()
		g.Source = compatibility.Ahead(g.Nodes, find(ctx), lookups)
	}
	k := q.asked()
	g.Supply = verdict.Supply{Version: k.Supply.PFRingVersion, AnySystem: k.Supply.Builder.Script != ""}
	if q.Supply != nil && k.Supplied() {
		g.readSupply(ctx, q)
	}
	return g, nil
}

// source is what to ask about a kernel; nil where the values name no source.
func (q Question) source(ctx context.Context) (Lookup, compatibility.Report, error) {
	otherwise := func(context.Context) compatibility.Lookup { return q.Otherwise }
	if q.Unasked {
		return otherwise, compatibility.Report{}, nil
	}
	find, about, err := q.Answers(ctx)
	if e := (*module.Error)(nil); q.Otherwise != nil && errors.As(err, &e) {
		about.Warnings = append(about.Warnings, err.Error())
		return otherwise, about, nil
	}
	return find, about, err
}

// readSupply asks the controller. That it is not installed yet is the usual case.
func (g *Gathered) readSupply(ctx context.Context, q Question) {
	status, err := q.Supply(ctx)
	switch words, known := apierror.Describe(err, apierror.Caller{Command: "compatibility"}); {
	case err == nil:
		g.Supply.Status = status
	case known && words.Kind == apierror.NotFound:
	case known:
		g.About.Warnings = append(g.About.Warnings, "what the supply controller has built is unknown, so this uses its recipes: "+words.String())
	default:
		g.About.Warnings = append(g.About.Warnings, err.Error())
	}
}

// Lookup makes a compatibility.Lookup that ends with a context.
type Lookup func(context.Context) compatibility.Lookup

// Answers is what to ask about a kernel: the repository, or in kmm the mappings; nil
// where the values name no repository. Of the report only source, verification and
// warnings are filled in.
func (q Question) Answers(ctx context.Context) (Lookup, compatibility.Report, error) {
	var about compatibility.Report
	k := q.Values.Tap.KernelModule
	if k.Mode == "kmm" {
		find, err := q.mappings(ctx)
		return find, about, err
	}
	if q.Access.URL == "" && k.Source.URL == "" {
		return nil, about, nil
	}
	repository, warnings, err := q.Access.Read(ctx, k)
	if err != nil {
		return nil, about, err
	}
	about.Source, about.Verify = repository.Source, string(repository.Verify())
	about.Warnings = slices.Concat(warnings, repository.Warnings)
	return repository.Lookup, about, nil
}

func (q Question) mappings(ctx context.Context) (Lookup, error) {
	if q.Access.URL != "" {
		return nil, errors.New("--source: in kmm mode modules come from the images of tap.kernelModule.kernelMappings")
	}
	k := q.Values.Tap.KernelModule
	m := compatibility.Mappings{
		List: k.KernelMappings, Namespace: cmp.Or(q.Namespace, renderer.DefaultNamespace),
		ModuleName: cmp.Or(k.KMM.ModuleName, cmp.Or(q.Release, renderer.DefaultReleaseName)+"-pf-ring"),
	}
	var images *compatibility.Images
	if q.Access.Images {
		var err error
		if images, err = q.Access.Registries(ctx, k); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) compatibility.Lookup { return m.Lookup(ctx, images) }, nil
}
