package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// validateFlags are what the user typed.
type validateFlags struct {
	values             valuesFlags
	output, failOn     string
	release, namespace string
	each               bool
}

func newValidateCmd(o *Options) *cobra.Command {
	f := &validateFlags{}
	cmd := &cobra.Command{
		Use:     "validate [FILE]...",
		GroupID: groupValues,
		Short:   "Check values files before you install them",
		Long: `Check values files before you install them.

Files and --set are merged over the chart's defaults as Helm does; the rightmost
wins. Every problem is reported at once, with its place, the value, what to write
instead, and the rule, which "pfring explain RULE" explains. - reads standard input.

--each checks every file separately instead of merging them.

Exit codes: 0 valid; 1 invalid; 2 a file could not be read.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.values.files = append(f.values.files, args...)
			return runValidate(cmd, f)
		},
		ValidArgsFunction: completeYAMLFiles,
	}
	cmd.Example = examples(o, `validate values.yaml
validate values.yaml production.yaml --set tap.kernelModule.mode=kmm --fail-on warning
validate --each clusters/*.yaml -o github`)
	fl := cmd.Flags()
	f.values.register(cmd)
	fl.StringVarP(&f.output, "output", "o", "text", "text, json or github (annotations of a workflow)")
	fl.StringVar(&f.failOn, "fail-on", "error", "lowest severity that makes the exit code 1: error or warning")
	fl.StringVar(&f.release, "release-name", renderer.DefaultReleaseName, "name of the release")
	fl.StringVarP(&f.namespace, "namespace", "n", renderer.DefaultNamespace, "namespace of the release")
	fl.BoolVar(&f.each, "each", false, "check every file separately instead of all of them merged")
	complete(cmd, "output", cobra.FixedCompletions([]string{"text", "json", "github"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "fail-on", cobra.FixedCompletions([]string{"error", "warning"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "namespace", cobra.NoFileCompletions)
	return cmd
}

func runValidate(cmd *cobra.Command, f *validateFlags) error {
	if err := flags.OneOf("output", f.output, []string{"text", "json", "github"}...); err != nil {
		return err
	}
	if err := flags.OneOf("fail-on", f.failOn, "error", "warning"); err != nil {
		return err
	}
	if len(f.values.files) == 0 && !f.values.anySet() {
		return errors.New("no values file given. Name at least one, or - for standard input")
	}
	problems, err := f.validate(cmd)
	if err != nil {
		return err
	}
	if err := writeProblems(cmd.OutOrStdout(), f.output, problems, len(f.values.files)); err != nil {
		return err
	}
	if errs, warnings := valuesschema.Count(problems); errs > 0 || f.failOn == "warning" && warnings > 0 {
		return no(nil)
	}
	return nil
}

func (f *validateFlags) validate(cmd *cobra.Command) ([]valuesschema.Problem, error) {
	o, err := f.values.loadOptions(cmd, input(cmd))
	if err != nil {
		return nil, err
	}
	o.ReleaseName, o.Namespace = f.release, f.namespace
	sets := [][]string{o.Files}
	if f.each {
		sets = sets[:0]
		for _, name := range o.Files {
			sets = append(sets, []string{name})
		}
	}
	var problems []valuesschema.Problem
	for _, files := range sets {
		o.Files = files
		doc, err := valuesschema.Load(o)
		if err != nil {
			return nil, err
		}
		if key := doc.Subchart(); key != "" && o.Subchart == "" {
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Only the values below %s are checked, since no others belong to this chart. To choose another key, set --subchart\n", printout.Line(key)); err != nil {
				return nil, err
			}
		}
		problems = append(problems, doc.Validate()...)
		o.DefaultsOf = doc
	}
	return problems, nil
}

func (v *valuesFlags) anySet() bool {
	return len(v.set)+len(v.setString)+len(v.setFile)+len(v.setJSON) > 0
}
