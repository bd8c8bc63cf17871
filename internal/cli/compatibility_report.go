package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// lookups is how many kernels are looked up at a time where that takes a
// request each.
const lookups = 8

// question is what a report is made from.
type question struct {
	values  valuesschema.Values
	nodes   *nodeFlags
	source  *sourceFlags
	release string
	// otherwise answers when the source cannot be read; nil makes that an error.
	otherwise compatibility.Lookup
}

// report reads nodes and source, at the same time, and matches them.
func (q question) report(cmd *cobra.Command) (r compatibility.Report, err error) {
	targets, err := targetsOf(q.values.Tap)
	if err != nil {
		return r, err
	}
	type listed struct {
		nodes []cluster.Node
		err   error
	}
	list := make(chan listed, 1)
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go func() {
		nodes, err := q.nodes.nodes(ctx, input(cmd), targets)
		list <- listed{nodes, err}
	}()
	find, about, err := q.answers(ctx)
	if e := (*module.Error)(nil); q.otherwise != nil && errors.As(err, &e) {
		about.Warnings = append(about.Warnings, err.Error())
		find, err = func(context.Context) compatibility.Lookup { return q.otherwise }, nil
	}
	if err != nil {
		return r, err
	}
	got := <-list
	if got.err != nil {
		return r, got.err
	}
	ctx, stop := context.WithTimeout(ctx, q.source.timeout)
	defer stop()
	r = compatibility.Match(got.nodes, compatibility.Ahead(got.nodes, find(ctx), lookups))
	r.Mode, r.Source, r.Verify, r.Warnings = q.values.Tap.KernelModule.Mode, about.Source, about.Verify, about.Warnings
	if len(q.nodes.kernels) > 0 {
		r.Subject = compatibility.SubjectKernels
	}
	r.Conclude()
	return r, nil
}

// targetsOf are the nodes that the values select.
func targetsOf(tap valuesschema.Tap) (cluster.Targets, error) {
	k := tap.KernelModule
	if k.Mode == "kmm" && len(k.KMM.Selector) > 0 {
		return cluster.Targets{Labels: k.KMM.Selector}, nil
	}
	terms, err := cluster.ParseTerms(tap.WorkerTerms())
	return cluster.Targets{Terms: terms, Labels: k.Agent.NodeSelector}, err
}

// lookup makes a Lookup that ends with a context.
type lookup func(context.Context) compatibility.Lookup

// answers is what to ask about a kernel: the repository, or in kmm the mappings.
func (q question) answers(ctx context.Context) (lookup, compatibility.Report, error) {
	if q.values.Tap.KernelModule.Mode == "kmm" {
		find, err := q.mappings(ctx)
		return find, compatibility.Report{}, err
	}
	var about compatibility.Report
	source, request, warnings, err := q.source.open(ctx, q.values.Tap.KernelModule)
	if err != nil {
		return nil, about, err
	}
	about.Verify = string(request.Verify)
	ctx, cancel := context.WithTimeout(ctx, q.source.timeout)
	defer cancel()
	repository, err := compatibility.ReadRepository(ctx, source, request)
	if err != nil {
		return nil, about, err
	}
	about.Source = repository.Source
	about.Warnings = slices.Concat(warnings, repository.Warnings)
	return repository.Lookup, about, nil
}

func (q question) mappings(ctx context.Context) (lookup, error) {
	if q.source.url != "" {
		return nil, errors.New("--source: in kmm mode modules come from the images of tap.kernelModule.kernelMappings")
	}
	k := q.values.Tap.KernelModule
	m := compatibility.Mappings{List: k.KernelMappings, ModuleName: k.KMM.ModuleName, Namespace: q.nodes.kube.namespace}
	if m.ModuleName == "" {
		m.ModuleName = q.release + "-pf-ring"
	}
	if m.Namespace == "" {
		m.Namespace = renderer.DefaultNamespace
	}
	var images *compatibility.Images
	if q.source.images {
		var err error
		if images, err = q.source.lookups(ctx, k); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) compatibility.Lookup { return m.Lookup(ctx, images) }, nil
}
