package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// prereqFlags are what the user typed.
type prereqFlags struct {
	kube   kubeFlags
	values valuesFlags
	source sourceFlags
	// release is what the chart is to be installed as; installed is the release
	// whose values are taken from the cluster.
	release   string
	installed string
	mode      string
	only      []string
	skip      []string
	failOn    string
	output    outputFlags
	wait      flags.Wait
	probe     probeFlags
	selector  string
	failing   bool
	watch     bool
}

func newPrereqCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "prereq",
		GroupID: groupCluster,
		Short:   "Check whether a cluster is ready for the module",
		Long: `Check whether a cluster is ready for the module, before it is installed or after.

Exit codes: 0 ready; 1 something prevents it; 2 the checks could not run.`,
		Args: cobra.NoArgs,
	}
	cmd.Example = examples(o, "prereq check -n kubeshark -f values.yaml\nprereq list")
	cmd.AddCommand(newPrereqCheckCmd(o), newPrereqListCmd(o))
	return cmd
}

func newPrereqCheckCmd(o *Options) *cobra.Command {
	f := &prereqFlags{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the cluster that kubectl talks to",
		Long: `Check the cluster that kubectl talks to, for the values given.

Nothing is changed: webhooks, and what a namespace admits, are tested by dry runs. The
repository and registries are contacted from this machine, which does not show whether
the nodes reach them. --probe checks that from the nodes, by a short Job for each
kernel, architecture and zone, and removes the Jobs afterwards. To read about a check:
pfring explain ID

Exit codes: 0 ready, also with warnings unless --fail-on=warning; 1 not ready;
2 the checks could not run because the API server does not answer.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPrereqCheck(cmd, f) },
	}
	cmd.Example = examples(o, `prereq check -n kubeshark -f values.yaml
prereq check -n kubeshark --mode both --only-failing
prereq check -n kubeshark --mode both -o short
prereq check -n kubeshark -f values.yaml --watch
prereq check -n kubeshark --release pfring --wait 2m
prereq check -n kubeshark -f values.yaml --probe
prereq check --mode kmm --only kmm,cert-manager -o junit > report.xml`)
	f.register(cmd)
	return cmd
}

func (f *prereqFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.kube.register(cmd)
	f.values.register(cmd)
	f.source.register(cmd, &f.kube)
	f.probe.register(cmd)
	fl.StringVar(&f.release, "release-name", renderer.DefaultReleaseName, "name of the release that is to be installed")
	fl.StringVar(&f.installed, "release", "", "begin with the values of this installed release; -f and --set come on top")
	fl.StringVar(&f.mode, "mode", "", "auto, kmm or both (default: the mode of the values)")
	fl.StringSliceVar(&f.only, "only", nil, "only these checks or categories; repeatable")
	fl.StringSliceVar(&f.skip, "skip", nil, "skip these checks or categories; repeatable")
	fl.StringVarP(&f.selector, "selector", "l", "", "look only at nodes with these labels, such as kubernetes.io/arch=arm64")
	fl.BoolVar(&f.failing, "only-failing", false, "show only errors and warnings; the verdict counts all")
	fl.BoolVarP(&f.watch, "watch", "w", false, "then check again when a node changes, and every 15 s, and show what has changed, until interrupted")
	complete(cmd, "selector", cobra.NoFileCompletions)
	fl.StringVar(&f.failOn, "fail-on", "error", "lowest severity that makes the exit code 1: error or warning")
	f.output.register(cmd, prereq.Formats())
	f.wait.Register(cmd, "retry transient failures for this long, such as a webhook that is starting (default 2m without a value)")
	cmd.MarkFlagsMutuallyExclusive("release", "release-name")
	for _, other := range []string{"wait", "probe"} {
		cmd.MarkFlagsMutuallyExclusive("watch", other)
	}
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "release", f.kube.completeReleases)
	complete(cmd, "mode", cobra.FixedCompletions([]string{"auto", "kmm", "both"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "only", completeChecks)
	complete(cmd, "skip", completeChecks)
	complete(cmd, "fail-on", cobra.FixedCompletions([]string{"error", "warning"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "wait", cobra.NoFileCompletions)
}

func completeChecks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range prereq.Checks() {
		if !slices.Contains(names, c.Category()) {
			names = append(names, c.Category())
		}
		names = append(names, c.ID+"\t"+c.Title)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (f *prereqFlags) valid() error {
	switch {
	case f.output.valid() != nil:
		return f.output.valid()
	case flags.OneOf("mode", f.mode, []string{"", "auto", "kmm", "both"}...) != nil:
		return flags.OneOf("mode", f.mode, []string{"", "auto", "kmm", "both"}...)
	case flags.OneOf("fail-on", f.failOn, "error", "warning") != nil:
		return flags.OneOf("fail-on", f.failOn, "error", "warning")
	}
	if f.watch && f.output.format != "table" && f.output.format != "short" {
		return flags.Wrong("--watch prints a table: -o must be table or short")
	}
	return f.probe.valid()
}

func runPrereqCheck(cmd *cobra.Command, f *prereqFlags) error {
	if err := f.valid(); err != nil {
		return err
	}
	if f.wait.On && f.wait.For == 0 {
		f.wait.For = 2 * time.Minute
	}
	if f.installed != "" {
		f.release = f.installed
	}
	options, err := f.options(cmd)
	if err != nil {
		return err
	}
	if f.watch {
		return f.follow(cmd, options)
	}
	printer := &prereq.Printer{W: cmd.OutOrStdout(), Short: f.output.format == "short" || f.failing, Terminal: colorful(cmd.OutOrStdout())}
	people := f.output.format == "table" || f.output.format == "short"
	if people {
		options.Starting = printer.Starting
		if options.Probe != nil {
			options.Probe.Progress = printer.Progress
		}
	}
	var failed error
	tell := func(finding prereq.Finding) {
		if people && failed == nil {
			failed = printer.Finding(finding)
		}
	}
	done := keepAlive(cmd.Context())
	defer done()
	report, err := prereq.Run(cmd.Context(), options, tell)
	if err != nil {
		return err
	}
	if people {
		if failed == nil {
			failed = printer.Verdict(report)
		}
	} else {
		report.Where = f.kube.where()
		if f.failing {
			report = report.Failing()
		}
		failed = f.output.write(cmd.OutOrStdout(), report, checkIDs(report), either(report.OK))
	}
	if failed != nil {
		return failed
	}
	return f.ended(cmd, report)
}

// ended is the exit code of a report.
func (f *prereqFlags) ended(cmd *cobra.Command, report *prereq.Report) error {
	switch {
	case cmd.Context().Err() != nil:
		return errors.New("interrupted")
	case report.Unreachable:
		return &exitError{code: outcome.ExitError}
	case !report.OK, f.failOn == "warning" && report.Warnings > 0:
		return no(nil)
	}
	return nil
}

// terminal tells whether w is a terminal that knows control sequences.
func terminal(w io.Writer) bool {
	fd, is := descriptor(w)
	return is && term.IsTerminal(fd) && os.Getenv("TERM") != "dumb"
}

// colorful tells whether w is a terminal whose user has nothing against
// colours (https://no-color.org).
func colorful(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// follow makes the checks again and again, and shows those that have changed.
func (f *prereqFlags) follow(cmd *cobra.Command, options prereq.Options) error {
	out := cmd.OutOrStdout()
	return watchNodes(cmd, options.Config, f.selector, func(ctx context.Context, lister cluster.NodeLister) (string, func() error, error) {
		o := options
		o.Nodes = lister
		report, err := prereq.Run(ctx, o, nil)
		if err != nil {
			return "", nil, err
		}
		what := report.Verdict
		for _, finding := range report.Findings {
			what += fmt.Sprint(finding.ID, finding.Result, finding.Observed, finding.Details, finding.Remedy)
		}
		return what, func() error {
			p := &prereq.Printer{W: out, Short: f.output.format == "short" || f.failing, Terminal: colorful(out)}
			for _, finding := range report.Findings {
				if err := p.Finding(finding); err != nil {
					return err
				}
			}
			return p.Verdict(report)
		}, nil
	})
}

func (f *prereqFlags) options(cmd *cobra.Command) (o prereq.Options, err error) {
	if o.Config, err = f.kube.restConfig(); err != nil {
		return o, err
	}
	if o.Namespace, err = f.kube.releaseNamespace(); err != nil {
		return o, err
	}
	o.Release, o.Only, o.Skip, o.Wait, o.Selector = f.release, f.only, f.skip, f.wait.For, f.selector
	access := f.source.access()
	o.ReadSource = access.Read
	o.Probe = f.probe.options()
	if o.Targets, err = f.targets(cmd, o.Namespace); err != nil {
		return o, err
	}
	var kmm valuesschema.KernelModule
	for _, t := range o.Targets {
		if t.Mode == prereq.ModeKMM {
			kmm = t.Values.Tap.KernelModule
		}
	}
	o.Images, err = access.Registries(cmd.Context(), kmm)
	if apierrors.IsNotFound(err) {
		// That the Secret is missing is a finding of a check.
		o.Images, err = access.Registries(cmd.Context(), valuesschema.KernelModule{})
	}
	return o, err
}

// checkIDs are the checks of a report.
func checkIDs(r *prereq.Report) []string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.ID)
	}
	return ids
}

// checkList are the checks that there are.
type checkList []listedCheck

type listedCheck struct {
	ID    string `json:"id"`
	Mode  string `json:"mode"`
	Title string `json:"title"`
}

// Write prints the list in one of the formats of prereq list.
func (l checkList) Write(w io.Writer, format string) error {
	if format != "table" {
		return printout.Document(w, l, format, []string{"table", "json", "yaml"})
	}
	rows := [][]string{{"Check", "Mode", "Holds when it is ok"}}
	for _, c := range l {
		rows = append(rows, []string{c.ID, c.Mode, c.Title})
	}
	return writeRows(w, rows)
}

func newPrereqListCmd(o *Options) *cobra.Command {
	var output outputFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the checks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.valid(); err != nil {
				return err
			}
			list, ids := checkList{}, []string{}
			for _, c := range prereq.Checks() {
				mode := c.Mode
				if mode == "" {
					mode = "both"
				}
				list, ids = append(list, listedCheck{ID: c.ID, Mode: mode, Title: c.Title}), append(ids, c.ID)
			}
			return output.write(cmd.OutOrStdout(), list, ids, webpage.Neutral)
		},
	}
	cmd.Example = examples(o, "prereq list\nprereq list -o name")
	output.register(cmd, []string{"table", "json", "yaml"})
	return cmd
}
