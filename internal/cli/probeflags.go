package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
)

// probeFlags say whether and how nodes are looked at from the inside.
type probeFlags struct {
	wanted  bool
	timeout time.Duration
	image   string
}

func (p *probeFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&p.wanted, "probe", false, "also check from the nodes: a short Job for each kernel, architecture and zone, removed afterwards")
	fl.DurationVar(&p.timeout, "probe-timeout", 3*time.Minute, "with --probe: give up on nodes that have not answered after this time")
	fl.StringVar(&p.image, "probe-image", "", "with --probe: image to run instead of the agent's own")
	complete(cmd, "probe-timeout", cobra.NoFileCompletions)
	complete(cmd, "probe-image", cobra.NoFileCompletions)
}

func (p *probeFlags) valid() error {
	switch {
	case p.timeout <= 0:
		return errors.New("--probe-timeout must be above 0")
	case p.image != "" && !p.wanted:
		return errors.New("--probe-image requires --probe")
	}
	return nil
}

// options is nil without --probe.
func (p *probeFlags) options() *prereq.ProbeOptions {
	if !p.wanted {
		return nil
	}
	return &prereq.ProbeOptions{Timeout: p.timeout, Image: p.image}
}
