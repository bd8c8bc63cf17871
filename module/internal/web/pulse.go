package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// pulse ends an exchange in which fewer bytes than Progress move in an idle time.
// It is safe for concurrent use: a body may go out while the answer comes.
type pulse struct {
	idle  time.Duration
	alarm *time.Timer
	moved atomic.Int64 // since the alarm was set
}

// newPulse returns a pulse that cancels by a *stalledError once it is started.
func newPulse(idle time.Duration, cancel context.CancelCauseFunc) *pulse {
	p := &pulse{idle: idle}
	p.alarm = time.AfterFunc(idle, func() { cancel(&stalledError{bytes: p.moved.Load(), within: idle}) })
	p.alarm.Stop()
	return p
}

// start begins an idle time.
func (p *pulse) start() {
	p.moved.Store(0)
	p.alarm.Reset(p.idle)
}

func (p *pulse) stop() { p.alarm.Stop() }

// add counts bytes that have moved.
func (p *pulse) add(n int) {
	if p.moved.Add(int64(n)) >= Progress {
		p.start()
	}
}

// stalledError means that a server sent, or took, too little for so long.
type stalledError struct {
	bytes  int64
	within time.Duration
}

func (e *stalledError) Error() string {
	if e.bytes == 0 {
		return fmt.Sprintf("the server stopped responding for %s", e.within)
	}
	return fmt.Sprintf("the server is too slow: %d bytes in %s", e.bytes, e.within)
}

func isStalled(err error) bool {
	var stalled *stalledError
	return errors.As(err, &stalled)
}

// watched counts for a pulse the bytes that are read.
type watched struct {
	io.Reader
	pulse *pulse
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	w.pulse.add(n)
	return n, err
}
