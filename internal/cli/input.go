package cli

import (
	"context"
	"io"
	"os"

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
	return &interruptible{ctx, cmd.InOrStdin(), "standard input"}
}

type interruptible struct {
	ctx  context.Context
	from io.Reader
	// name is what is waited for.
	name string
}

type readResult struct {
	n   int
	err error
}

// openFile opens a file of the user's. One that may keep its reader waiting, such as a
// named pipe or what a shell's <(command) stands for, is read as standard input is.
func openFile(ctx context.Context, name string) (io.ReadCloser, error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() || info.IsDir() {
		return os.Open(name) // #nosec G304 -- the user's own file
	}
	type opened struct {
		file *os.File
		err  error
	}
	end, done := waiting.Begin(ctx, name), make(chan opened, 1)
	defer end()
	go func() {
		// That of a named pipe waits until somebody writes to it.
		file, err := os.Open(name) // #nosec G304 -- the user's own file
		done <- opened{file, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case got := <-done:
		if got.err != nil {
			return nil, got.err
		}
		return pipe{&interruptible{ctx, got.file, name}, got.file}, nil
	}
}

// pipe is a file that keeps its reader waiting, and can be read once.
type pipe struct {
	io.Reader
	io.Closer
}

// Read leaves a blocked read behind when the context ends; the process, or the
// program that mounts the command, is about to end as well. That read has a
// buffer of its own, since the caller's is not to change later.
func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	defer waiting.Begin(r.ctx, r.name)()
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
