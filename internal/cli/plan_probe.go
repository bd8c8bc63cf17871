package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/internal/probe"
)

// ask has the nodes themselves looked at, with --probe.
func (f *planFlags) ask(cmd *cobra.Command) error {
	o := f.probe.options()
	switch {
	case o == nil:
		return nil
	case !f.nodes.live():
		return errors.New("--probe requires a live cluster: remove --nodes-from and --kernel")
	case slices.Contains(f.values.files, "-"):
		return errors.New("--probe reads the values twice: give them as a file, not on standard input")
	}
	if f.facts.ImageRepository != "" {
		o.Registries = []string{prereq.RegistryOf(f.facts.ImageRepository + ":x")}
	}
	p := prereqFlags{kube: f.nodes.kube, values: f.values, source: f.source, release: f.release, mode: prereq.ModeAuto, probe: f.probe}
	options, err := p.options(cmd)
	if err != nil {
		return err
	}
	options.Probe = o
	done := keepAlive(cmd.Context())
	report, err := prereq.Probe(cmd.Context(), options)
	done()
	if err != nil {
		return fmt.Errorf("cannot probe the nodes: %w", err)
	}
	if cmd.Context().Err() != nil {
		return errors.New("interrupted")
	}
	f.facts.Seen = plan.FromProbe(report)
	return f.unseen(cmd, report)
}

// unseen says for which nodes the plan knows no more than without the probe.
func (f *planFlags) unseen(cmd *cobra.Command, report *probe.Report) error {
	w := cmd.ErrOrStderr()
	for _, g := range report.Results {
		if g.Report != nil {
			continue
		}
		why := g.Why()
		if _, err := fmt.Fprintf(w, "Warning: no probe of %s (%d nodes): %s [%s]\n", g.Group, g.Nodes, why.Message, why.Reason); err != nil {
			return err
		}
	}
	if report.Restricted != "" {
		if _, err := fmt.Fprintf(w, "Warning: lockdown and Secure Boot stay unknown: the namespace refuses pods that see the host's /sys (%s)\n", report.Restricted); err != nil {
			return err
		}
	}
	if report.Left != nil {
		_, err := fmt.Fprintf(w, "Warning: Jobs could not be removed; they expire after some minutes: %v\n", report.Left)
		return err
	}
	return nil
}
