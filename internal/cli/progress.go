package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

// seldom is how often progress is reported where it is kept, such as in a CI's log.
const seldom = 10 * time.Second

// onTerminal tells whether stderr is a person's terminal.
func onTerminal(cmd *cobra.Command) bool {
	out, ok := cmd.ErrOrStderr().(*os.File)
	return ok && term.IsTerminal(int(out.Fd()))
}

// copyProgress draws a line on a terminal, and prints one now and then elsewhere.
// Progress that cannot be reported is not a reason to stop.
func copyProgress(cmd *cobra.Command) func(mirror.Progress) {
	out, start := cmd.ErrOrStderr(), time.Now()
	if !onTerminal(cmd) {
		last := start
		return func(p mirror.Progress) {
			if time.Since(last) < seldom {
				return
			}
			last = time.Now()
			_, _ = fmt.Fprintf(out, "%d/%d modules, %s\n", p.Done, p.Total, megabytes(p.Bytes)) // progress: the copy goes on without a reader
		}
	}
	return func(p mirror.Progress) {
		const width = 30
		bar := strings.Repeat("#", width*p.Done/p.Total)
		end := "\r"
		if p.Done == p.Total {
			end = "\n"
		}
		rate := float64(p.Bytes) / 1e6 / max(time.Since(start).Seconds(), 0.001)
		_, _ = fmt.Fprintf(out, "[%-*s] %d/%d modules, %s, %.1f MB/s   %s", width, bar, p.Done, p.Total, megabytes(p.Bytes), rate, end) // as above
	}
}

// sending tells now and then how much was sent, until stop is called.
func sending(cmd *cobra.Command, remote *image.Remote) (stop func()) {
	done, ended, every := make(chan struct{}), make(chan struct{}), time.NewTicker(seldom)
	go func() {
		defer close(ended)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s sent\n", megabytes(remote.Sent())) // as above
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
