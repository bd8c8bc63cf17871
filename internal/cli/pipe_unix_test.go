//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

// A named pipe is read as a file is, also by a command that reads its values more than
// once, and what is waited for is named.
func TestValuesComeFromANamedPipe(t *testing.T) {
	const values = "tap: {kernelModule: {supply: {enabled: true}}}"
	for name, args := range map[string][]string{
		"validate": {"validate"}, "render": {"render"}, "plan": {"plan", "--kernel", "6.1.0", "-o", "values", "-f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pipe := filepath.Join(t.TempDir(), "values.yaml")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errOut bytes.Buffer
			root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
			root.SetArgs(append(args, pipe))
			ended := make(chan error, 1)
			go func() { ended <- root.ExecuteContext(t.Context()) }()
			time.Sleep(1200 * time.Millisecond)
			if err := os.WriteFile(pipe, []byte(values), 0o600); err != nil {
				t.Fatal(err)
			}
			err := <-ended
			if code := cli.ExitCode(err); code == 2 || !strings.Contains(errOut.String(), "Waiting for "+pipe) {
				t.Errorf("exit code %d, %v\n%s\n%s", code, err, out.String(), errOut.String())
			}
		})
	}
}

func TestACommandThatWaitsForANamedPipeCanBeInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"validate", pipe}, {"render", "-f", pipe}, {"compatibility", "--nodes-from", pipe}, {"inject", "-f", pipe}, {"module", "inspect", pipe},
	} {
		var out bytes.Buffer
		root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &out})
		root.SetArgs(args)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := root.ExecuteContext(ctx); err == nil {
			t.Errorf("%v gave an answer: %s", args, out.String())
		}
		cancel()
	}
}
