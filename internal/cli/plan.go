package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// planFlags are what the user typed.
type planFlags struct {
	compatibilityFlags
	facts plan.Facts
	file  string
	probe probeFlags
}

func newPlanCmd(o *Options) *cobra.Command {
	f := &planFlags{}
	cmd := &cobra.Command{
		Use:     "plan",
		GroupID: groupCluster,
		Short:   "Recommend a mode for this cluster, and write the values for it",
		Long: `Recommend a mode for this cluster, and write the values for it.

Reads the nodes and the module repository, and says why a mode fits, what to do first,
and what each kernel gets. A plan never supports fewer nodes than your values do.

  auto  modules exist and nodes can fetch them, or the cluster can build them
  kmm   KMM runs in the cluster and its images have the modules, or it builds them: with
        --image-repository, by the chart's Dockerfiles or those of --build-configmap

--probe asks the nodes themselves what they reach and which modules their kernels
accept, by short Jobs.

-o values or --output-file writes the values. Use them after your own:
helm install pfring CHART -f yours.yaml -f planned.yaml

Exit codes: 0 there is a plan; 1 no node can have the module, or the values are invalid;
2 the cluster or the repository could not be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPlan(cmd, f) },
	}
	cmd.Example = examples(o, `plan
plan -f values.yaml --source s3://modules/pf_ring --output-file planned.yaml
plan -n kubeshark -f values.yaml --probe
plan --no-egress --image-repository registry.example.com/pf-ring -o values
plan --build-configmap pf-ring-build --image-repository registry.example.com/pf-ring`)
	f.register(cmd)
	return cmd
}

func (f *planFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.nodes.register(cmd)
	f.source.register(cmd, &f.nodes.kube)
	f.values.register(cmd)
	f.probe.register(cmd)
	fl.StringVar(&f.release, "release-name", renderer.DefaultReleaseName, "name of the release")
	fl.StringVarP(&f.output.format, "output", "o", "text", strings.Join(plan.Formats(), ", "))
	fl.StringVar(&f.file, "output-file", "", "write the values to this `FILE` too")
	fl.StringVar(&f.facts.Mode, "mode", "", "plan for this mode: auto or kmm")
	fl.BoolVar(&f.facts.NoEgress, "no-egress", false, "nodes cannot reach anything outside the cluster's network")
	fl.StringVar(&f.facts.ImageRepository, "image-repository", "", "kmm: your repository of module images, without a tag (default "+plan.PublicImages+")")
	fl.StringVar(&f.facts.BuildConfigMap, "build-configmap", "", "kmm: ConfigMap with the Dockerfile by which KMM builds missing images, instead of the chart's")
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "output", cobra.FixedCompletions(plan.Formats(), cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "mode", cobra.FixedCompletions([]string{"auto", "kmm"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "image-repository", cobra.NoFileCompletions)
	complete(cmd, "build-configmap", cobra.NoFileCompletions)
}

func runPlan(cmd *cobra.Command, f *planFlags) error {
	if err := flags.OneOf("output", f.output.format, plan.Formats()...); err != nil {
		return err
	}
	if err := flags.OneOf("mode", f.facts.Mode, "", "auto", "kmm"); err != nil {
		return err
	}
	if err := f.probe.valid(); err != nil {
		return err
	}
	if f.file != "" {
		if err := atomicfile.CheckOutput(f.file); err != nil {
			return err
		}
	}
	if err := f.gather(cmd); err != nil {
		return err
	}
	if err := f.ask(cmd); err != nil {
		return err
	}
	p := plan.Make(f.facts)
	data, err := p.ValuesYAML()
	if err != nil {
		return err
	}
	if err := f.accepted(cmd, data); err != nil {
		return err
	}
	if f.file != "" {
		if err := atomicfile.WriteOutput(f.file, data, 0o600); err != nil {
			return err
		}
	}
	if out := cmd.OutOrStdout(); f.output.format == "text" && colorful(out) {
		// The verdict is the first line.
		if _, err := io.WriteString(out, marks[either(p.Way != plan.None)]); err != nil {
			return err
		}
	}
	if err := p.Write(cmd.OutOrStdout(), f.output.format); err != nil {
		return err
	}
	if p.Way == plan.None {
		return no(nil)
	}
	return nil
}

// gather fills in the facts. What the source of auto mode has is asked for
// whatever the values' own mode.
func (f *planFlags) gather(cmd *cobra.Command) error {
	doc, err := f.values.document(cmd, f.release, f.nodes.kube.overrides.Context.Namespace)
	if err != nil {
		return err
	}
	values, err := doc.Typed()
	if err != nil {
		return err
	}
	f.facts.Subchart = doc.Subchart()
	k := values.Tap.KernelModule
	current := k
	f.facts.SupplyOn = k.Supply.Enabled != nil && *k.Supply.Enabled
	current.Source.URL = cmp.Or(f.source.url, k.Source.URL)
	values.Tap.KernelModule.Mode = "auto"
	f.facts.SourceURL = k.Source.URL
	if f.source.url != "" {
		f.facts.SourceURL = f.source.url
	}
	f.facts.SourceMounted = len(k.Source.Volume) > 0
	f.facts.PublicSource = strings.TrimSuffix(f.facts.SourceURL, "/") == valuesschema.HistoricRoot
	q := f.question(cmd, values)
	if f.facts.Mode == "kmm" {
		// What auto's source has does not matter then.
		f.facts.SourceUnread, q.Unasked = true, true
		q.Otherwise = func(string, string) compatibility.Answer {
			return compatibility.Answer{Supported: compatibility.Unknown, Reason: compatibility.ReasonImageNotChecked}
		}
	} else if f.facts.NoEgress && f.facts.PublicSource {
		// Then this machine may be as cut off as the nodes.
		q.Otherwise = func(string, string) compatibility.Answer {
			f.facts.SourceUnread = true
			return compatibility.Answer{Supported: compatibility.Unknown, Reason: string(outcome.SourceUnreachable)}
		}
	}
	q.Access.NoEgress = true
	g, err := q.Gather(cmd.Context())
	if err != nil {
		return err
	}
	f.facts.Report, f.facts.Supply = f.reports(g, values.Tap.KernelModule)
	if f.facts.Current, err = f.now(cmd, g, values, current); err != nil {
		return err
	}
	for _, w := range g.About.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	f.facts.Release, f.facts.Namespace = f.release, f.nodes.kube.overrides.Context.Namespace
	if f.facts.PublicKeys, err = f.source.access().Keys(); err != nil {
		return err
	}
	f.facts.ImageRepoSecret = k.ImageRepoSecret
	if f.facts.Addons, err = f.addons(cmd.Context()); err != nil {
		return err
	}
	f.facts.Images, err = f.images(cmd.Context(), g.Nodes, k)
	return err
}

// reports are what the source of the values has, and what the supply controller
// builds, each alone.
func (f *planFlags) reports(g release.Gathered, k valuesschema.KernelModule) (source compatibility.Report, built *compatibility.Report) {
	on, off := true, false
	k.Supply.Enabled = &off
	source = g.Report(k)
	k.Supply.Enabled, g.Source = &on, nil
	supplied := g.Report(k)
	return source, &supplied
}

// now is what the nodes have with the values at hand; nil where that is not asked.
func (f *planFlags) now(cmd *cobra.Command, g release.Gathered, values valuesschema.Values, k valuesschema.KernelModule) (*compatibility.Report, error) {
	switch {
	case f.facts.SourceUnread:
		return nil, nil
	case k.Mode != "kmm":
		r := g.Report(k)
		return &r, nil
	}
	values.Tap.KernelModule = k
	q := f.question(cmd, values)
	q.Access.URL, q.Access.Images = "", true
	q.Nodes = func(context.Context, cluster.Targets) ([]cluster.Node, error) { return g.Nodes, nil }
	r, err := q.Report(cmd.Context())
	return &r, err
}

// images looks the images up that a plan for kmm would use, where KMM may be
// planned for; nil looks for none.
func (f *planFlags) images(ctx context.Context, nodes []cluster.Node, k valuesschema.KernelModule) (func(kernel, arch string) compatibility.Answer, error) {
	if f.facts.NoEgress || f.facts.ImageRepository == "" && f.facts.Mode != "kmm" || f.facts.Mode == "auto" {
		return nil, nil
	}
	k.Mode = "kmm"
	ctx, cancel := context.WithTimeout(ctx, f.source.timeout)
	defer cancel()
	registries, err := f.source.access().Registries(ctx, k)
	if err != nil {
		return nil, err
	}
	find := func(kernel, arch string) compatibility.Answer {
		_, answer := registries.Find(ctx, plan.ImageOf(cmp.Or(f.facts.ImageRepository, plan.PublicImages), kernel), arch, compatibility.RegistryTLS{})
		return answer
	}
	return compatibility.Ahead(nodes, find, 4), nil
}

func (f *planFlags) addons(ctx context.Context) (cluster.Addons, error) {
	if !f.nodes.live() {
		return cluster.Addons{}, nil
	}
	config, err := f.nodes.kube.restConfig()
	if err != nil {
		return cluster.Addons{}, err
	}
	return cluster.ReadAddons(ctx, config)
}

// accepted makes sure that validate takes the written values after the user's.
func (f *planFlags) accepted(cmd *cobra.Command, data []byte) error {
	o, err := f.values.loadOptions(cmd, bytes.NewReader(data))
	if err != nil {
		return err
	}
	// Standard input is used up where the user's own values came from it.
	o.Files = append(slices.DeleteFunc(slices.Clone(o.Files), func(name string) bool { return name == "-" }), "-")
	o.ReleaseName, o.Namespace = f.release, f.nodes.kube.overrides.Context.Namespace
	doc, err := valuesschema.Load(o)
	if err != nil {
		return err
	}
	return refuseInvalid(cmd, doc, len(o.Files), "the planned values conflict with yours (see above, where stdin means the planned values). Nothing was written")
}
