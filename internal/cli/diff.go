package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/difference"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// diffFlags are what the user typed.
type diffFlags struct {
	compatibilityFlags
	reuse, nodesToo bool
}

func newDiffCmd(o *Options) *cobra.Command {
	f := &diffFlags{}
	cmd := &cobra.Command{
		Use:     "diff RELEASE",
		GroupID: groupCluster,
		Short:   "Show what an upgrade to these values would change, by object and by node",
		Long: `Show what an upgrade to these values would change, by object and by node.

Renders the built-in chart with the values and compares it with what Helm has
installed: which objects are added, removed or changed, and in which fields. Then
compares node by node: which nodes lose their module, load another one, get one, or
only get a new pod. Without -f and --set the values of the installed release are used,
as helm upgrade does; --reuse-values puts yours on top of them. Nothing is changed.

Exit codes: 0 no node loses its module; 1 one does; 2 the comparison failed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.release = args[0]
			return runDiff(cmd, f)
		},
		ValidArgsFunction: f.nodes.kube.completeReleases,
	}
	cmd.Example = examples(o, `diff pfring -n kubeshark -f values.yaml
diff pfring -n kubeshark --reuse-values --set tap.kernelModule.mode=kmm
diff pfring -n kubeshark -f values.yaml --nodes=false -o yaml`)
	f.nodes.kube.register(cmd)
	f.source.register(cmd, &f.nodes.kube)
	f.values.register(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.source.images, "images", true, "kmm: look the images up in their registries")
	fl.BoolVar(&f.reuse, "reuse-values", false, "put -f and --set on top of the values of the installed release")
	fl.BoolVar(&f.nodesToo, "nodes", true, "compare node by node too, which reads the module repository")
	f.output.register(cmd, difference.Formats())
	return cmd
}

func runDiff(cmd *cobra.Command, f *diffFlags) error {
	if err := f.output.valid(); err != nil {
		return err
	}
	config, err := f.nodes.kube.restConfig()
	if err != nil {
		return err
	}
	namespace, err := f.nodes.kube.releaseNamespace()
	if err != nil {
		return err
	}
	in, err := readInstalled(cmd.Context(), config, namespace, f.release)
	if err != nil {
		return err
	}
	if f.values.subchart == "" {
		f.values.subchart = in.key
	}
	before, err := f.read(cmd, in, false, namespace)
	if err != nil {
		return err
	}
	after, err := f.read(cmd, in, true, namespace)
	if err != nil {
		return err
	}
	r := &difference.Report{SchemaVersion: 1, Release: f.release, Namespace: namespace, Nodes: []difference.Node{}, Where: f.nodes.kube.where()}
	if r.Objects, err = f.objects(in, after, namespace); err != nil {
		return err
	}
	if f.nodesToo {
		if r.Nodes, r.Unchanged, err = f.changedNodes(cmd, before, after, difference.PodsReplaced(r.Objects)); err != nil {
			return fmt.Errorf("%w; --nodes=false compares the objects alone", err)
		}
	}
	r.Conclude()
	var names []string
	for _, c := range r.Objects {
		names = append(names, c.Kind+"/"+c.Name)
	}
	if err := f.output.write(cmd.OutOrStdout(), r, names, either(!r.Loses)); err != nil {
		return err
	}
	if r.Loses {
		return no(nil)
	}
	return nil
}

// read merges the installed values, or those of the upgrade.
func (f *diffFlags) read(cmd *cobra.Command, in *installed, upgrade bool, namespace string) (*valuesschema.Document, error) {
	v := valuesFlags{subchart: f.values.subchart}
	if upgrade {
		v = f.values
	}
	o, err := v.loadOptions(cmd, input(cmd))
	if err != nil {
		return nil, err
	}
	o.ReleaseName, o.Namespace = f.release, namespace
	reused := !upgrade || f.reuse || len(f.values.files) == 0 && !f.values.anySet()
	if o.Base, err = in.base(reused); err != nil {
		return nil, err
	}
	if in.key != "" && !reused {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: the values of chart %s itself are not known here. Name its values.yaml with -f before yours\n", printout.Line(in.parent)); err != nil {
			return nil, err
		}
	}
	doc, err := valuesschema.Load(o)
	if err != nil || !upgrade {
		return doc, err
	}
	return doc, refuseInvalid(cmd, doc, len(f.values.files), "nothing was compared: the values are invalid")
}

// objects compares what Helm has installed with what the values render to.
func (f *diffFlags) objects(in *installed, doc *valuesschema.Document, namespace string) ([]difference.Change, error) {
	chart, err := loadChart("")
	if err != nil {
		return nil, err
	}
	result, err := renderer.Render(chart, renderer.Options{Values: doc.Values(), ReleaseName: f.release, Namespace: namespace, ChartName: in.key, SchemaChecked: true})
	if err != nil {
		return nil, err
	}
	list := func(resources []renderer.Resource) ([]difference.Object, error) {
		var objects []difference.Object
		for _, r := range resources {
			o := difference.Object{Kind: r.Kind, Name: r.Name}
			if err := yaml.Unmarshal([]byte(r.YAML), &o.Tree); err != nil {
				return nil, fmt.Errorf("cannot read %s %s: %w", r.Kind, r.Name, err)
			}
			objects = append(objects, o)
		}
		return objects, nil
	}
	old, err := list(in.objects)
	if err != nil {
		return nil, err
	}
	now, err := list(result.Resources)
	if err != nil {
		return nil, err
	}
	return difference.Objects(old, now), nil
}

// changedNodes asks what each node has with the one values and with the others.
func (f *diffFlags) changedNodes(cmd *cobra.Command, before, after *valuesschema.Document, replaced bool) ([]difference.Node, int, error) {
	var reports [2]compatibility.Report
	for i, doc := range []*valuesschema.Document{before, after} {
		values, err := doc.Typed()
		if err != nil {
			return nil, 0, err
		}
		if reports[i], err = f.question(cmd, values).Report(cmd.Context()); err != nil {
			return nil, 0, err
		}
	}
	changed, unchanged := difference.Nodes(reports[0], reports[1], replaced)
	return changed, unchanged, nil
}
