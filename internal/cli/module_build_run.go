package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// build runs the builds, keeps what comes of them and says what did not.
func (f *buildFlags) build(cmd *cobra.Command, keep *keeper, targets []build.Target, skipped []build.Skipped) error {
	errOut := cmd.ErrOrStderr()
	for _, s := range skipped {
		if _, err := fmt.Fprintf(errOut, "%s %s: not built: %v\n", s.Kernel, s.Arch, s.Err); err != nil {
			return err
		}
	}
	if len(targets) == 0 && len(skipped) == 0 {
		_, err := fmt.Fprintln(errOut, "Every kernel has a module: nothing to build.")
		return err
	}
	config, err := f.nodes.kube.restConfig()
	if err != nil {
		return err
	}
	builder, err := build.NewBuilder(config, f.settings)
	if err != nil {
		return err
	}
	view := newBuildView(errOut, len(targets), f.logs)
	builder.Parallel, builder.Observe = f.parallel, view.step
	if f.logs {
		builder.Log = view.line
	}
	failed, untried := len(skipped), false
	var faults error
	done := keepAlive(cmd.Context())
	defer done()
	left := builder.Run(cmd.Context(), targets, func(r build.Result) {
		view.done(r)
		if r.Err != nil {
			failed++
			untried = untried || !errors.As(r.Err, new(*build.Failure))
			return
		}
		faults = errors.Join(faults, keep.add(cmd, r.Module))
	})
	view.end()
	// What was built is kept also when the rest was interrupted.
	faults = errors.Join(faults, keep.finish(context.WithoutCancel(cmd.Context()), cmd), left)
	switch {
	case cmd.Context().Err() != nil:
		return errors.Join(errors.New("interrupted; the Jobs are being removed"), faults)
	case faults != nil:
		return faults
	case failed > 0:
		err := fmt.Errorf("%d of %s not built", failed, text.Count(len(targets)+len(skipped), "module"))
		if untried {
			return err
		}
		return no(err)
	}
	return nil
}

// readLog takes the module out of a log that a build by printed manifests left.
func (f *buildFlags) readLog(cmd *cobra.Command, keep *keeper) error {
	log, closeLog, err := openLog(cmd, f.fromLog)
	if err != nil {
		return err
	}
	record, err := build.Decode(log, build.DefaultMark, nil, nil)
	if err = errors.Join(err, closeLog()); err != nil {
		return fmt.Errorf("cannot read %s: %w", f.fromLog, err)
	}
	if record.Module == nil {
		return no(errors.New(f.fromLog + ": " + cmp.Or(record.Failure, record.Problem.Error()) + indented(record.Lines(8))))
	}
	kernel, arch := "", ""
	if len(f.kernels) == 1 {
		kernel = f.kernels[0]
	}
	if len(f.archs) == 1 {
		arch = f.archs[0]
	}
	m, err := build.Check(record.Module, kernel, arch)
	if err != nil {
		return no(fmt.Errorf("%s: %w", f.fromLog, err))
	}
	m.KernelVersion = record.KernelVersion
	if err := keep.add(cmd, m); err != nil {
		return err
	}
	return keep.finish(cmd.Context(), cmd)
}
