package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
)

// statusFlags are what the user typed.
type statusFlags struct {
	kube    kubeFlags
	release string
	output  outputFlags
	wait    flags.Wait
	timeout time.Duration
	nodes   string
	all     bool
	failing bool
	watch   bool
}

func newStatusCmd(o *Options) *cobra.Command {
	f := &statusFlags{}
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupCluster,
		Short:   "Show which nodes have PF_RING, and why others do not",
		Long: `Show which nodes have PF_RING, and why others do not.

Reads the outcome of each node from the agent's pods, and in kmm mode also KMM's
objects. --wait follows the pods until every node has the module, until no further
change is expected, or until --timeout.

Exit codes: 0 every node that should have the module has it; 1 one does not, or
there is none; 2 the cluster could not be read, or nothing is installed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runStatus(cmd, f) },
	}
	cmd.Example = examples(o, `status -n kubeshark
status -n kubeshark -o wide --only-failing
status -n kubeshark -l topology.kubernetes.io/zone=eu-central-1a
status -n kubeshark --watch
status -A
status -n kubeshark --wait --timeout 10m
status -n kubeshark -o json | jq '.summary'`)
	fl := cmd.Flags()
	f.kube.register(cmd)
	fl.StringVar(&f.release, "release-name", "", "name of the release (default the only one in the namespace)")
	f.output.register(cmd, rollout.Formats())
	f.wait.Register(cmd, "wait until no further change is expected, at most this long (default --timeout)")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "with --wait alone: how long; 0 waits indefinitely")
	fl.StringVarP(&f.nodes, "selector", "l", "", "only nodes with these labels, such as kubernetes.io/arch=arm64")
	fl.BoolVarP(&f.all, "all-namespaces", "A", false, "the releases of all namespaces, a line for each")
	fl.BoolVar(&f.failing, "only-failing", false, "show only nodes that should have the module and do not; the verdict counts all")
	fl.BoolVarP(&f.watch, "watch", "w", false, "then show each node again when it changes, until interrupted")
	cmd.MarkFlagsMutuallyExclusive("wait", "watch")
	cmd.MarkFlagsMutuallyExclusive("all-namespaces", "wait")
	cmd.MarkFlagsMutuallyExclusive("all-namespaces", "watch")
	complete(cmd, "selector", cobra.NoFileCompletions)
	complete(cmd, "release-name", f.kube.completeReleases)
	complete(cmd, "timeout", cobra.NoFileCompletions)
	return cmd
}

func runStatus(cmd *cobra.Command, f *statusFlags) error {
	if err := f.output.valid(); err != nil {
		return err
	}
	if f.timeout < 0 {
		return flags.Wrong("invalid --timeout %q: must not be below 0", f.timeout)
	}
	if f.wait.For > 0 {
		f.timeout = f.wait.For
	}
	selected, err := labels.Parse(f.nodes)
	if err != nil {
		return flags.Wrong("invalid --selector %q: must be labels as kubectl takes them, such as kubernetes.io/arch=arm64", f.nodes)
	}
	if f.all {
		return f.everywhere(cmd, selected)
	}
	client, release, err := f.kube.release(cmd.Context(), f.release)
	if err != nil {
		return err
	}
	release.Select(selected)
	if f.watch {
		return f.follow(cmd, client, release)
	}
	report, err := f.report(cmd, client, release)
	if err != nil {
		return err
	}
	if err := warn(cmd, report.Warnings); err != nil {
		return err
	}
	report.Where = f.kube.where()
	if f.failing {
		report = report.Failing()
	}
	if err := f.output.write(cmd.OutOrStdout(), report, nodeNames(report), either(report.Complete)); err != nil {
		return err
	}
	if !report.Complete {
		return no(nil)
	}
	return nil
}

func warn(cmd *cobra.Command, warnings []string) error {
	for _, w := range warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	return nil
}

// follow shows the nodes, and each again when it changes.
func (f *statusFlags) follow(cmd *cobra.Command, client *rollout.Client, release *rollout.Release) error {
	if f.output.format != "table" && f.output.format != "wide" {
		return flags.Wrong("--watch prints a table: -o must be table or wide")
	}
	changes := &rollout.Changes{W: cmd.OutOrStdout(), Wide: f.output.format == "wide", NoHeaders: f.output.noHeaders}
	if err := client.Watch(cmd.Context(), release, func(r *rollout.Report, nodes []rollout.Node) error {
		if f.failing {
			nodes = (&rollout.Report{Nodes: nodes}).Failing().Nodes
		}
		return changes.Print(r, nodes)
	}); err != nil {
		return err
	}
	return cmd.Context().Err()
}

// everywhere shows the releases of all namespaces.
func (f *statusFlags) everywhere(cmd *cobra.Command, selected labels.Selector) error {
	if f.output.format == "html" {
		return flags.Wrong("invalid --output \"html\" with --all-namespaces: must be table, wide, json, yaml, name or jsonpath=TEMPLATE")
	}
	client, err := f.kube.rollouts()
	if err != nil {
		return err
	}
	releases, err := client.All(cmd.Context(), f.release)
	if err != nil {
		return err
	}
	all := &rollout.Reports{SchemaVersion: 1}
	for _, r := range releases {
		r.Select(selected)
		report, err := client.Status(cmd.Context(), r)
		if err != nil {
			return err
		}
		if err := warn(cmd, report.Warnings); err != nil {
			return err
		}
		all.Add(report)
	}
	if f.failing {
		all = all.Failing()
	}
	var names []string
	for _, r := range all.Releases {
		names = append(names, "release/"+r.Namespace+"/"+r.Release)
	}
	if err := f.output.write(cmd.OutOrStdout(), all, names, either(all.Complete)); err != nil {
		return err
	}
	if !all.Complete {
		return no(nil)
	}
	return nil
}

// nodeNames are the nodes' names as kubectl's -o name has them.
func nodeNames(r *rollout.Report) []string {
	var names []string
	for _, n := range r.Nodes {
		names = append(names, "node/"+n.Node)
	}
	return names
}

func (f *statusFlags) report(cmd *cobra.Command, client *rollout.Client, release *rollout.Release) (*rollout.Report, error) {
	ctx := cmd.Context()
	if !f.wait.On {
		return client.Status(ctx, release)
	}
	waiting := ctx
	if f.timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	bar := newProgress(cmd.ErrOrStderr())
	report, err := client.Wait(waiting, release, bar.show)
	bar.end()
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(waiting.Err(), context.DeadlineExceeded) && !report.Complete:
		report.Warnings = append(report.Warnings, "the time to wait, "+f.timeout.String()+", is over; this is the state now")
	}
	return report, nil
}

// release finds the release in the cluster that the flags mean.
func (k *kubeFlags) release(ctx context.Context, name string) (*rollout.Client, *rollout.Release, error) {
	client, err := k.rollouts()
	if err != nil {
		return nil, nil, err
	}
	namespace, err := k.releaseNamespace()
	if err != nil {
		return nil, nil, err
	}
	release, err := client.Find(ctx, namespace, name)
	return client, release, err
}

// rollouts reads releases of the cluster that the flags mean.
func (k *kubeFlags) rollouts() (*rollout.Client, error) {
	config, err := k.restConfig()
	if err != nil {
		return nil, err
	}
	return rollout.NewClient(config)
}

// progress is one line that rewrites itself, on a terminal only.
type progress struct {
	out   io.Writer
	width int
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		p.width = 30
	}
	return p
}

func (p *progress) show(s rollout.Summary) {
	if p.width == 0 || s.Wanted == 0 {
		return
	}
	none := s.Fallback + s.BuildFailed + s.Unsupported
	done := (s.OK + none) * p.width / s.Wanted
	// The line is only for the eye: nothing is lost if it cannot be written.
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %d of %d nodes have PF_RING, %d on libpcap, %d failing, %d to come",
		strings.Repeat("=", done), strings.Repeat(" ", p.width-done), s.OK, s.Wanted, none, s.Failed, s.Pending+s.Unknown+s.Building)
}

func (p *progress) end() {
	if p.width > 0 {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K") // progress, as above
	}
}
