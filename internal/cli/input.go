package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
)

// input is the command's standard input, of which a Read ends when the command
// is interrupted: whoever waits for a terminal or a pipe can press Ctrl-C.
func input(cmd *cobra.Command) io.Reader {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return &interruptible{ctx: ctx, from: cmd.InOrStdin()}
}

type interruptible struct {
	ctx  context.Context
	from io.Reader
}

type readResult struct {
	n   int
	err error
}

// Read leaves a blocked read behind when the context ends; the process, or the
// program that mounts the command, is about to end as well. That read has a
// buffer of its own, since the caller's is not to change later.
func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	defer waiting.Begin(r.ctx, "standard input")()
	buf, done := make([]byte, len(p)), make(chan readResult, 1)
	go func() {
		n, err := r.from.Read(buf)
		done <- readResult{n, err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	case got := <-done:
		return copy(p, buf[:got.n]), got.err
	}
}
