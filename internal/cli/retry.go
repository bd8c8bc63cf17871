package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// retryFlags are what the user typed.
type retryFlags struct {
	kube           kubeFlags
	release, batch string
	selector       string
	reasons        []string
	dryRun         bool
	options        rollout.RetryOptions
}

func newRetryCmd(o *Options) *cobra.Command {
	f := &retryFlags{}
	cmd := &cobra.Command{
		Use:     "retry",
		GroupID: groupCluster,
		Short:   "Load again on nodes that have fallen back to libpcap",
		Long: `Load again on nodes that have fallen back to libpcap.

Deletes the agent's pods on these nodes, some nodes at a time. The new pods load again;
each batch must finish before the next begins. Nodes that have the module are left
alone, and capture continues. In kmm mode the agent only waits again: KMM loads.

Exit codes: 0 every retried node has the module now, or none needed it; 1 one still
does not have it; 2 it could not be carried out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRetry(cmd, f) },
	}
	cmd.Example = examples(o, `retry -n kubeshark --dry-run
retry -n kubeshark --reason no-module-for-kernel
retry -n kubeshark --node worker-3 --node worker-7
retry -n kubeshark --batch 20`)
	fl := cmd.Flags()
	f.kube.register(cmd)
	fl.StringVar(&f.release, "release-name", "", "name of the release (default the only one in the namespace)")
	fl.StringSliceVar(&f.reasons, "reason", nil, "only nodes with this reason, as status shows it; repeatable")
	fl.StringSliceVar(&f.options.Nodes, "node", nil, "only this node; repeatable")
	fl.StringVar(&f.batch, "batch", "10%", "how many nodes at a time: a number, or a share of those to retry")
	fl.DurationVar(&f.options.Timeout, "timeout", 5*time.Minute, "how long one batch may take; 0 waits indefinitely")
	fl.BoolVar(&f.dryRun, "dry-run", false, "only show which nodes")
	fl.StringVarP(&f.selector, "selector", "l", "", "only nodes with these labels, such as kubernetes.io/arch=arm64")
	complete(cmd, "release-name", f.kube.completeReleases)
	complete(cmd, "node", f.kube.completeNodes)
	complete(cmd, "selector", cobra.NoFileCompletions)
	complete(cmd, "batch", cobra.NoFileCompletions)
	complete(cmd, "timeout", cobra.NoFileCompletions)
	complete(cmd, "reason", cobra.FixedCompletions(badReasons(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// badReasons are those that a retry could fix.
func badReasons() []string {
	var list []string
	for _, info := range outcome.Reasons() {
		if info.Group != outcome.GroupGood {
			list = append(list, string(info.Reason))
		}
	}
	return list
}

func (f *retryFlags) check() (err error) {
	if f.options.Batch, err = rollout.ParseBatch(f.batch); err != nil {
		return fmt.Errorf("invalid --batch %w", err)
	}
	if f.options.Timeout < 0 {
		return errors.New("--timeout must not be below 0")
	}
	for _, r := range f.reasons {
		if err := flags.OneOf("reason", r, badReasons()...); err != nil {
			return err
		}
		f.options.Reasons = append(f.options.Reasons, outcome.Reason(r))
	}
	return nil
}

func runRetry(cmd *cobra.Command, f *retryFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	selected, err := labels.Parse(f.selector)
	if err != nil {
		return flags.Wrong("invalid --selector %q: must be labels as kubectl takes them, such as kubernetes.io/arch=arm64", f.selector)
	}
	client, release, err := f.kube.release(cmd.Context(), f.release)
	if err != nil {
		return err
	}
	release.Select(selected)
	report, err := client.Status(cmd.Context(), release)
	if err != nil {
		return err
	}
	nodes, err := report.Candidates(f.options)
	if err != nil {
		return fmt.Errorf("--node: %w", err)
	}
	out := cmd.OutOrStdout()
	if len(nodes) == 0 {
		_, err := fmt.Fprintln(out, "No node to retry: "+report.Verdict)
		return err
	}
	if f.dryRun {
		rows := make([][]string, 0, len(nodes))
		for _, n := range nodes {
			rows = append(rows, []string{n.Node, string(n.Reason), "would be retried by deleting pod " + n.Pod})
		}
		return writeRows(out, rows)
	}
	f.options.Begin = func(batch, batches int, names []string) {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Batch %d of %d: %s\n", batch, batches, shorten(names)) // progress: the batch is retried without a reader too
	}
	var failed error
	wide := 0
	for _, n := range nodes {
		wide = max(wide, len(n.Node))
	}
	f.options.Done = func(nodes []rollout.Node) { failed = errors.Join(failed, printRetried(cmd, nodes, wide)) }
	after, err := client.Retry(cmd.Context(), release, nodes, f.options)
	if err = errors.Join(failed, err); err != nil {
		if errors.Is(err, rollout.ErrStuck) {
			return no(err)
		}
		return err
	}
	return concludeRetry(cmd, nodes, after)
}

func shorten(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], " ") + fmt.Sprintf(" and %d more", len(names)-10)
	}
	return strings.Join(names, " ")
}

// printRetried says what happened to a batch, in the columns of all batches.
func printRetried(cmd *cobra.Command, nodes []rollout.Node, wide int) error {
	rows := make([][]string, 0, len(nodes))
	for _, n := range nodes {
		rows = append(rows, []string{fmt.Sprintf("%-*s", wide, n.Node), fmt.Sprintf("%-7s", n.Backend), string(n.Reason)})
	}
	return writeRows(cmd.OutOrStdout(), rows)
}

func concludeRetry(cmd *cobra.Command, before, after []rollout.Node) error {
	ok := 0
	for _, n := range after {
		if n.State == rollout.OK {
			ok++
		}
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %d retried nodes have PF_RING now\n", ok, len(before)); err != nil {
		return err
	}
	if ok < len(before) {
		return no(nil)
	}
	return nil
}
