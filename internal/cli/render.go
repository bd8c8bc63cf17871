package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// renderFlags are what the user typed.
type renderFlags struct {
	values      valuesFlags
	chart, mode string
	outputDir   string
	kustomize   bool
	options     renderer.Options
}

func newRenderCmd(o *Options) *cobra.Command {
	f := &renderFlags{}
	cmd := &cobra.Command{
		Use:     "render [FILE]...",
		GroupID: groupValues,
		Short:   "Render the chart to manifests, for GitOps",
		Long: `Render the chart to manifests, for GitOps.

Files and --set are merged as Helm does; the rightmost wins. The same files and flags
always give the same manifests: those of helm template --skip-tests, without notes and
test hooks, which only Helm uses.

--output-dir writes one file for each resource and replaces what an earlier run wrote
there. A folder that holds anything else is left alone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.values.files = append(f.values.files, args...)
			return runRender(cmd, f)
		},
	}
	cmd.Example = examples(o, `render values.yaml
render values.yaml -n kubeshark --mode kmm --set tap.kernelModule.onUnavailable=fail | kubectl apply -n kubeshark -f -
render -f values.yaml -n kubeshark --kustomize --output-dir base/pfring`)
	f.register(cmd)
	return cmd
}

func (f *renderFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.values.register(cmd)
	fl.StringVar(&f.chart, "chart", "", "chart to render, a folder or a .tgz (default the built-in one)")
	fl.StringVar(&f.mode, "mode", "", "auto or kmm; sets tap.kernelModule.mode")
	fl.StringVarP(&f.options.Namespace, "namespace", "n", renderer.DefaultNamespace, "namespace of the release")
	fl.StringVar(&f.options.ReleaseName, "release-name", renderer.DefaultReleaseName, "name of the release")
	fl.StringVar(&f.options.KubeVersion, "kube-version", renderer.DefaultKubeVersion, "Kubernetes version to render for")
	fl.StringSliceVar(&f.options.APIVersions, "api-versions", nil, "further API versions that the cluster has, such as monitoring.coreos.com/v1")
	fl.BoolVar(&f.options.IncludeCRDs, "include-crds", false, "render the chart's CRDs too, if it has any")
	fl.StringVar(&f.outputDir, "output-dir", "", "write one file for each resource into this folder")
	fl.BoolVar(&f.kustomize, "kustomize", false, "with --output-dir: write a kustomize base")
	complete(cmd, "mode", cobra.FixedCompletions([]string{"auto", "kmm"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "namespace", cobra.NoFileCompletions)
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "kube-version", cobra.NoFileCompletions)
	complete(cmd, "api-versions", cobra.NoFileCompletions)
	complete(cmd, "output-dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	cmd.ValidArgsFunction = completeYAMLFiles
}

func runRender(cmd *cobra.Command, f *renderFlags) error {
	if f.kustomize && f.outputDir == "" {
		return errors.New("--kustomize requires --output-dir")
	}
	if f.mode != "" {
		if err := flags.OneOf("mode", f.mode, []string{"auto", "kmm"}...); err != nil {
			return err
		}
		f.values.own = append(f.values.own, "tap.kernelModule.mode="+f.mode)
	}
	chart, err := loadChart(f.chart)
	if err != nil {
		return err
	}
	if f.options.Values, err = f.validValues(cmd, chart); err != nil {
		return err
	}
	// The built-in chart's schema is the one that the values have just passed.
	f.options.SchemaChecked = f.chart == ""
	result, err := renderer.Render(chart, f.options)
	if e := (*renderer.Error)(nil); errors.As(err, &e) {
		return no(err)
	}
	if err != nil {
		return err
	}
	return writeResult(cmd, f, result)
}

// validValues merges the values and refuses invalid ones with the messages of
// validate. Warnings go to stderr, since the manifests are written anyway.
func (f *renderFlags) validValues(cmd *cobra.Command, chart *renderer.Chart) (map[string]any, error) {
	o, err := f.values.loadOptions(cmd, input(cmd))
	if err != nil {
		return nil, err
	}
	o.Defaults, o.ReleaseName, o.Namespace = chart.Values, f.options.ReleaseName, f.options.Namespace
	doc, err := valuesschema.Load(o)
	if err != nil {
		return nil, err
	}
	problems := doc.Validate()
	if err := writeProblems(cmd.ErrOrStderr(), "brief", problems, len(f.values.files)); err != nil {
		return nil, err
	}
	if errs, _ := valuesschema.Count(problems); errs > 0 {
		return nil, no(errors.New("nothing was rendered: the values are invalid"))
	}
	return doc.Values(), nil
}

// loadChart loads the chart at path, or the built-in one.
func loadChart(path string) (*renderer.Chart, error) {
	if path == "" {
		return renderer.LoadFS(charts.FS(), charts.Name)
	}
	return renderer.LoadPath(path)
}

func writeResult(cmd *cobra.Command, f *renderFlags, r *renderer.Result) error {
	if f.outputDir == "" {
		return r.WriteStream(cmd.OutOrStdout())
	}
	files := r.Files()
	if f.kustomize {
		var err error
		if files, err = r.Kustomize(); err != nil {
			return err
		}
	}
	if err := renderer.WriteDir(f.outputDir, files); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%d files written to %s\n", len(files), f.outputDir)
	return err
}
