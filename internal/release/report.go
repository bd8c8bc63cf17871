package release

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
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
	Nodes  func(ctx context.Context, targets cluster.Targets) ([]cluster.Node, error)
	Access *Access
	// Otherwise answers when the source cannot be read; nil makes that an error.
	Otherwise compatibility.Lookup
	// Unasked leaves the source alone: Otherwise answers at once.
	Unasked bool
}

// Report reads nodes and source, at the same time, and matches them.
func (q Question) Report(ctx context.Context) (r compatibility.Report, err error) {
	targets, err := Targets(q.Values.Tap)
	if err != nil {
		return r, err
	}
	type listed struct {
		nodes []cluster.Node
		err   error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	list := make(chan listed, 1)
	go func() {
		nodes, err := q.Nodes(ctx, targets)
		if err != nil {
			// Without nodes nobody needs the source, however slowly it answers.
			cancel(err)
		}
		list <- listed{nodes, err}
	}()
	find, about, err := Lookup(nil), compatibility.Report{}, error(nil)
	if q.Unasked {
		find = func(context.Context) compatibility.Lookup { return q.Otherwise }
	} else {
		find, about, err = q.Answers(ctx)
	}
	if e := (*module.Error)(nil); q.Otherwise != nil && errors.As(err, &e) {
		about.Warnings = append(about.Warnings, err.Error())
		find, err = func(context.Context) compatibility.Lookup { return q.Otherwise }, nil
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return r, cause
	}
	if err != nil {
		return r, err
	}
	got := <-list
	if got.err != nil {
		return r, got.err
	}
	ctx, stop := context.WithTimeout(ctx, q.Access.Timeout)
	defer stop()
	r = compatibility.Match(got.nodes, compatibility.Ahead(got.nodes, find(ctx), lookups))
	r.Mode, r.Source, r.Verify, r.Warnings = q.Values.Tap.KernelModule.Mode, about.Source, about.Verify, about.Warnings
	r.Conclude()
	return r, nil
}

// Lookup makes a compatibility.Lookup that ends with a context.
type Lookup func(context.Context) compatibility.Lookup

// Answers is what to ask about a kernel: the repository, or in kmm the mappings. Of
// the report only source, verification and warnings are filled in.
func (q Question) Answers(ctx context.Context) (Lookup, compatibility.Report, error) {
	var about compatibility.Report
	k := q.Values.Tap.KernelModule
	if k.Mode == "kmm" {
		find, err := q.mappings(ctx)
		return find, about, err
	}
	if q.Access.URL == "" && k.Source.URL == "" {
		return unbuilt, about, nil
	}
	source, request, warnings, err := q.Access.Open(ctx, k)
	if err != nil {
		return nil, about, err
	}
	about.Verify = string(request.Verify)
	ctx, cancel := context.WithTimeout(ctx, q.Access.Timeout)
	defer cancel()
	end := waiting.Begin(ctx, "the module repository "+source.String())
	defer end()
	repository, err := compatibility.ReadRepository(ctx, source, request)
	if err != nil {
		return nil, about, err
	}
	about.Source = repository.Source
	about.Warnings = slices.Concat(warnings, repository.Warnings)
	return repository.Lookup, about, nil
}

// unbuilt is the answer where values name no repository: which modules the
// cluster has built, and will build, its controller knows.
func unbuilt(context.Context) compatibility.Lookup {
	return func(string, string) compatibility.Answer {
		return compatibility.Answer{Supported: compatibility.Unknown, Reason: string(outcome.NoModuleForKernel)}
	}
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
