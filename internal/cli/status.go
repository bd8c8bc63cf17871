package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
)

// statusFlags are what the user typed.
type statusFlags struct {
	kube    kubeFlags
	release string
	output  string
	wait    bool
	timeout time.Duration
}

func newStatusCmd(o *Options) *cobra.Command {
	f := &statusFlags{}
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupCluster,
		Short:   "Say which nodes have PF_RING, and why others have not",
		Long: `Say which nodes have PF_RING, and why others have not.

Reads the outcome of each node from the agent's pods, and in kmm mode also what KMM
shows of its work. --wait follows the pods until every node has the module, until
nothing will change by itself, or until --timeout.

Exit codes: 0 every node that should have the module has it; 1 one has not, or there
is none; 2 the cluster could not be read, or nothing is installed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runStatus(cmd, f) },
	}
	cmd.Example = examples(o, `status -n kubeshark
status -n kubeshark -o wide
status -n kubeshark --wait --timeout 10m
status -n kubeshark -o json | jq '.summary'`)
	fl := cmd.Flags()
	f.kube.register(cmd)
	fl.StringVar(&f.release, "release-name", "", "name of the release (default the only one in the namespace)")
	fl.StringVarP(&f.output, "output", "o", "table", strings.Join(rollout.Formats(), ", "))
	fl.BoolVar(&f.wait, "wait", false, "wait until nothing more will change by itself")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "with --wait: how long; 0 for ever")
	complete(cmd, "release-name", cobra.NoFileCompletions)
	complete(cmd, "output", cobra.FixedCompletions(rollout.Formats(), cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "timeout", cobra.NoFileCompletions)
	return cmd
}

func runStatus(cmd *cobra.Command, f *statusFlags) error {
	if !slices.Contains(rollout.Formats(), f.output) {
		return fmt.Errorf("--output %q: it is one of %s", f.output, strings.Join(rollout.Formats(), ", "))
	}
	if f.timeout < 0 {
		return errors.New("--timeout must not be below 0")
	}
	client, release, err := f.kube.release(cmd.Context(), f.release)
	if err != nil {
		return err
	}
	report, err := f.report(cmd, client, release)
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w); err != nil {
			return err
		}
	}
	if err := report.Write(cmd.OutOrStdout(), f.output); err != nil {
		return err
	}
	if !report.Complete {
		return no(nil)
	}
	return nil
}

func (f *statusFlags) report(cmd *cobra.Command, client *rollout.Client, release *rollout.Release) (*rollout.Report, error) {
	ctx := cmd.Context()
	if !f.wait {
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
		report.Warnings = append(report.Warnings, "--timeout "+f.timeout.String()+" is over; this is the state now")
	}
	return report, nil
}

// release finds the release in the cluster that the flags mean.
func (k *kubeFlags) release(ctx context.Context, name string) (*rollout.Client, *rollout.Release, error) {
	config, err := k.restConfig()
	if err != nil {
		return nil, nil, err
	}
	namespace, err := k.releaseNamespace()
	if err != nil {
		return nil, nil, err
	}
	client, err := rollout.NewClient(config)
	if err != nil {
		return nil, nil, err
	}
	release, err := client.Find(ctx, namespace, name)
	return client, release, err
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
	done := (s.OK + s.Fallback) * p.width / s.Wanted
	// The line is only for the eye: nothing is lost if it cannot be written.
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %d of %d nodes have PF_RING, %d on libpcap, %d failing, %d to come",
		strings.Repeat("=", done), strings.Repeat(" ", p.width-done), s.OK, s.Wanted, s.Fallback, s.Failed, s.Pending+s.Unknown)
}

func (p *progress) end() {
	if p.width > 0 {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}
