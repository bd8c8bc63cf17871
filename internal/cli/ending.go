package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const (
	// grace is how long an interrupted command has for what it still has to say.
	// Files are replaced at once, so nothing is half done when it ends before.
	grace = 300 * time.Millisecond
	// tidying is how long one has that must take away what it made in a cluster. A
	// second signal ends it at once.
	tidying = time.Minute
)

// tidies counts what is being taken away; it travels with the command's context.
type tidies struct{ n atomic.Int32 }

type tidiesKey struct{}

// keepAlive says that the command has made something in the cluster that it must
// take away again, until the function that it returns is called.
func keepAlive(ctx context.Context) (done func()) {
	t, _ := ctx.Value(tidiesKey{}).(*tidies)
	if t == nil {
		return func() {}
	}
	t.n.Add(1)
	return sync.OnceFunc(func() { t.n.Add(-1) })
}

// execute runs the command tree and ends it when ctx does, whatever it reads or
// computes: what does not listen to its context is left behind in the process that
// is about to end.
func execute(ctx context.Context, root *cobra.Command) error {
	t := &tidies{}
	ctx = context.WithValue(ctx, tidiesKey{}, t)
	done := make(chan error, 1)
	go func() {
		cmd, err := root.ExecuteContextC(ctx)
		done <- flags.Required(cmd, err)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	for end := time.Now().Add(tidying); ; {
		select {
		case err := <-done:
			return err
		case <-time.After(grace):
		}
		if t.n.Load() == 0 || time.Now().After(end) {
			return interrupted(nil)
		}
	}
}

// interrupted is the end of a command that a signal has ended. What is still to be
// said is not an error.
func interrupted(rest error) error { return &exitError{code: outcome.ExitInterrupted, err: rest} }

// finishing gives every command of the tree the same end: errors of the API server
// in plain words, silence explained, and its own exit code after an interruption.
func finishing(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		finishing(c)
	}
	run := cmd.RunE
	if run == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		out := cmd.ErrOrStderr()
		file, isFile := out.(*os.File)
		if !isFile {
			out = &locked{to: out}
			cmd.SetErr(out)
		}
		ctx, notice := waiting.With(ctx, out, isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb")
		cmd.SetContext(ctx)
		err := run(cmd, args)
		notice.Stop()
		return ended(ctx, err, caller(cmd))
	}
}

func ended(ctx context.Context, err error, c apierror.Caller) error {
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		if e := (*exitError)(nil); errors.As(err, &e) {
			err = e.err
		}
		return interrupted(apierror.Reword(err, c))
	}
	if e := (*exitError)(nil); errors.As(err, &e) {
		return &exitError{code: e.code, err: apierror.Reword(e.err, c)}
	}
	return apierror.Reword(err, c)
}

// caller is who asks, for the words of an error.
func caller(cmd *cobra.Command) apierror.Caller {
	c := apierror.Caller{Command: cmd.CommandPath()}
	if flag := cmd.Flags().Lookup("kubeconfig"); flag != nil {
		c.Kubeconfig = flag.Value.String()
		if c.Kubeconfig == "" {
			c.Kubeconfig = os.Getenv("KUBECONFIG")
		}
	}
	if flag := cmd.Flags().Lookup("server"); flag != nil {
		c.ServerFlag = flag.Changed
	}
	return c
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	to io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
