package cli_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

// Whoever forgot to give a file, and so waits for himself, can leave.
func TestACommandThatWaitsForItsInputCanBeInterrupted(t *testing.T) {
	for _, args := range [][]string{
		{"validate", "-"}, {"render", "-"}, {"inject"}, {"compatibility", "--nodes-from", "-"}, {"plan", "--nodes-from", "-"},
	} {
		in, hold := io.Pipe()
		var out bytes.Buffer
		root := cli.New(cli.Options{In: in, Out: &out, ErrOut: &out})
		root.SetArgs(args)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- root.ExecuteContext(ctx) }()
		if _, err := hold.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		cancel()
		select {
		case err := <-ended:
			if err == nil || cli.ExitCode(err) != 130 {
				t.Errorf("%v: ended with %v; what was interrupted gives no answer", args, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%v: still waits", args)
		}
		_ = hold.Close()
	}
}
