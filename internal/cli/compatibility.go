package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// compatibilityFlags are what the user typed.
type compatibilityFlags struct {
	values  valuesFlags
	nodes   nodeFlags
	source  sourceFlags
	release string
	output  outputFlags
	failing bool
	watch   bool
}

func newCompatibilityCmd(o *Options) *cobra.Command {
	f := &compatibilityFlags{}
	cmd := &cobra.Command{
		Use:     "compatibility",
		GroupID: groupCluster,
		Short:   "Show which nodes can load PF_RING",
		Long: `Show which nodes can load PF_RING.

Reads the kernels of all nodes from the API and looks for a module for each of them in
the module repository. Creates nothing. With tap.kernelModule.mode=kmm in the values it
shows which kernel mapping and image each kernel gets, and looks the images up in their
registries. Nodes that tap.nodeSelectorTerms leaves out do not count. "unknown" means
that only loading the module can show it.

Exit codes: 0 every node is supported; 1 one is not, or is unknown; 2 the cluster or the
repository could not be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCompatibility(cmd, f) },
	}
	cmd.Example = examples(o, `compatibility
compatibility -f values.yaml --source s3://modules/pf_ring -o wide
compatibility -l kubernetes.io/arch=arm64 --only-failing
compatibility --watch
compatibility --kernel 6.8.0-51-generic --arch arm64
compatibility --nodes-from nodes.json -o html > report.html`)
	fl := cmd.Flags()
	f.nodes.register(cmd)
	f.source.register(cmd, &f.nodes.kube)
	f.values.register(cmd)
	fl.BoolVar(&f.source.images, "images", true, "kmm: look the images up in their registries")
	fl.StringVar(&f.release, "release-name", renderer.DefaultReleaseName, "name of the release")
	fl.BoolVar(&f.failing, "only-failing", false, "show only nodes and kernels that are not supported, or unknown; the verdict counts all")
	fl.BoolVarP(&f.watch, "watch", "w", false, "then show the report again when it changes, until interrupted: nodes are watched, the repository is read every 15 s")
	for _, other := range []string{"nodes-from", "kernel"} {
		cmd.MarkFlagsMutuallyExclusive("watch", other)
	}
	f.output.register(cmd, compatibility.Formats())
	complete(cmd, "release-name", cobra.NoFileCompletions)
	return cmd
}

func runCompatibility(cmd *cobra.Command, f *compatibilityFlags) error {
	if err := f.output.valid(); err != nil {
		return err
	}
	values, err := f.values.typed(cmd, f.release, f.nodes.kube.overrides.Context.Namespace)
	if err != nil {
		return err
	}
	if f.watch {
		return f.follow(cmd, values)
	}
	report, err := f.question(cmd, values).Report(cmd.Context())
	if err != nil {
		return err
	}
	if len(f.nodes.kernels) > 0 {
		report.Subject = compatibility.SubjectKernels
		report.Conclude()
	}
	if err := f.print(cmd, report); err != nil {
		return err
	}
	if !report.Compatible {
		return no(nil)
	}
	return nil
}

func (f *compatibilityFlags) print(cmd *cobra.Command, report compatibility.Report) error {
	if err := warn(cmd, report.Warnings); err != nil {
		return err
	}
	report.Where = f.nodes.where()
	if f.failing {
		report = report.Failing()
	}
	return f.output.write(cmd.OutOrStdout(), report, reportNodes(report), either(report.Compatible))
}

// follow shows the report, and again when it changes.
func (f *compatibilityFlags) follow(cmd *cobra.Command, values valuesschema.Values) error {
	if f.output.format != "table" && f.output.format != "wide" {
		return flags.Wrong("--watch prints a table: -o must be table or wide")
	}
	config, err := f.nodes.kube.restConfig()
	if err != nil {
		return err
	}
	question := f.question(cmd, values)
	return watchNodes(cmd, config, f.nodes.selector, func(ctx context.Context, lister cluster.NodeLister) (string, func() error, error) {
		question.Nodes = func(ctx context.Context, targets cluster.Targets) ([]cluster.Node, error) {
			return cluster.ListNodes(ctx, lister, f.nodes.selector, targets)
		}
		report, err := question.Report(ctx)
		if err != nil {
			return "", nil, err
		}
		var what strings.Builder
		if err := report.Write(&what, "wide"); err != nil {
			return "", nil, err
		}
		return what.String() + strings.Join(report.Warnings, "\n"), func() error { return f.print(cmd, report) }, nil
	})
}

// question asks what the source of the values has for the nodes.
func (f *compatibilityFlags) question(cmd *cobra.Command, values valuesschema.Values) release.Question {
	q := release.Question{
		Values: values, Release: f.release, Namespace: f.nodes.kube.overrides.Context.Namespace, Access: f.source.access(),
		Nodes: func(ctx context.Context, targets cluster.Targets) ([]cluster.Node, error) {
			return f.nodes.nodes(ctx, input(cmd), targets)
		},
	}
	if f.nodes.live() {
		q.Supply = func(ctx context.Context) (*supply.Status, error) {
			return f.nodes.kube.supplyStatus(ctx, supply.NamesWith(f.release, supply.PrefixFor(f.release, values.Tap.KernelModule)))
		}
	}
	return q
}

// supplyStatus is what the supply controller of a release tells of itself.
func (k *kubeFlags) supplyStatus(ctx context.Context, names supply.Names) (*supply.Status, error) {
	config, err := k.restConfig()
	if err != nil {
		return nil, err
	}
	namespace, err := k.releaseNamespace()
	if err != nil {
		return nil, err
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	return supply.ReadStatus(ctx, client.ConfigMaps(namespace), names)
}

// reportNodes are the nodes' names as kubectl's -o name has them, or the kernels
// where none was asked for.
func reportNodes(r compatibility.Report) []string {
	var names []string
	for _, n := range r.Nodes {
		names = append(names, "node/"+n.Node)
	}
	return names
}

// typed merges and validates the values. Invalid ones are reported as by validate,
// and the answer is then no.
func (v *valuesFlags) typed(cmd *cobra.Command, release, namespace string) (valuesschema.Values, error) {
	doc, err := v.document(cmd, release, namespace)
	if err != nil {
		return valuesschema.Values{}, err
	}
	return doc.Typed()
}

// document is typed before it is typed: with what else is known of the values.
func (v *valuesFlags) document(cmd *cobra.Command, release, namespace string) (*valuesschema.Document, error) {
	o, err := v.loadOptions(cmd, input(cmd))
	if err != nil {
		return nil, err
	}
	o.ReleaseName, o.Namespace = release, namespace
	doc, err := valuesschema.Load(o)
	if err != nil {
		return nil, err
	}
	if err := refuseInvalid(cmd, doc, len(v.files), "the values are invalid"); err != nil {
		return nil, err
	}
	return doc, nil
}
