// Package waiting tells a person what a command is waiting for, once nothing has
// been heard for a second. Whoever waits for something slow says so by Begin; who
// is to be reported, and where, comes in with the context, so that libraries need no
// writer.
//
// It imports nothing of this project but the escaping of texts.
package waiting

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// patience is how long silence may last.
const patience = time.Second

type key struct{}

// Notice is where the context's waiting is reported.
type Notice struct {
	out      io.Writer
	terminal bool

	mu        sync.Mutex
	open      []string
	announced map[string]bool
	shown     bool
	timer     *time.Timer
	stopped   bool
}

// With returns a context whose waiting is reported on out: on a terminal by a line
// that disappears again, elsewhere by one line for each thing waited for. Stop ends
// it; nothing is written afterwards.
func With(ctx context.Context, out io.Writer, terminal bool) (context.Context, *Notice) {
	n := &Notice{out: out, terminal: terminal, announced: map[string]bool{}}
	return context.WithValue(ctx, key{}, n), n
}

// Begin says that what, such as "the API server", is waited for from now on, until
// the function that it returns is called.
func Begin(ctx context.Context, what string) (end func()) {
	n, _ := ctx.Value(key{}).(*Notice)
	if n == nil {
		return func() {}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open = append(n.open, what)
	if n.timer == nil && !n.stopped {
		n.timer = time.AfterFunc(patience, n.tick)
	}
	return sync.OnceFunc(func() { n.end(what) })
}

func (n *Notice) end(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.open, what); i >= 0 {
		n.open = slices.Delete(n.open, i, i+1)
	}
	if len(n.open) == 0 {
		n.clear()
	}
}

// tick tells what has been waited for the longest, and looks again later while
// there is anything.
func (n *Notice) tick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped || len(n.open) == 0 {
		n.timer = nil
		return
	}
	n.tell(n.open[0])
	n.timer = time.AfterFunc(patience, n.tick)
}

// tell writes. That it cannot is not a reason to end a command.
func (n *Notice) tell(what string) {
	switch {
	case n.terminal:
		_, _ = fmt.Fprintf(n.out, "\r\x1b[KWaiting for %s …", printout.Line(what)) // progress: the wait goes on without a reader
		n.shown = true
	case !n.announced[what]:
		n.announced[what] = true
		_, _ = fmt.Fprintf(n.out, "Waiting for %s …\n", printout.Line(what)) // as above
	}
}

func (n *Notice) clear() {
	if n.shown {
		_, _ = fmt.Fprint(n.out, "\r\x1b[K") // as above
		n.shown = false
	}
}

// Stop ends telling.
func (n *Notice) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	n.clear()
	if n.timer != nil {
		n.timer.Stop()
	}
}
