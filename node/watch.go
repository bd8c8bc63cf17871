package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// WatchOptions say what to watch over.
type WatchOptions struct {
	Host       *Host
	Node       string
	ModuleName string
	// Record is where what holds is written: nothing that Load writes.
	Record Record
	// First is the file of the outcome that the init container came to.
	First string
	// State is the file of the last load on this node, which may have been by
	// another pod since.
	State string
	// Poll is the pause between two looks.
	Poll time.Duration
	Log  *slog.Logger
}

// Watch holds the outcome that load or wait came to against what the kernel
// says, for as long as the agent runs.
type Watch struct {
	WatchOptions
	mu sync.Mutex
	// first is the outcome that was handed over, now what holds.
	first, now outcome.Outcome
}

// NewWatch takes over the outcome in First. Where there is none, it starts from
// what the kernel says.
func NewWatch(o WatchOptions) *Watch {
	w := &Watch{WatchOptions: o}
	before, err := ReadOutcome(o.First)
	if err != nil {
		o.Log.Warn("the outcome of the init container cannot be used", "error", err)
	}
	if before == nil {
		b := o.Host.blank(o.Node)
		b.Message = "no outcome of an init container found"
		before = &b
	}
	w.first, w.now = *before, *before
	w.look()
	return w
}

// Outcome is what holds now.
func (w *Watch) Outcome() outcome.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// gone is true when a module that was there has vanished.
func (w *Watch) gone() bool { return w.Outcome().Reason == outcome.ModuleGone }

// Run looks again and again until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for wait.For(ctx, w.Poll) == nil {
		w.look()
		w.Record.mark()
	}
}

// look compares the outcome with the kernel, and writes down what has changed.
func (w *Watch) look() {
	m := w.Host.Loaded(w.ModuleName)
	there := m != nil && m.Live && w.Host.usable(w.ModuleName)
	was := w.Outcome()
	next := was
	switch {
	case !there && was.Backend != outcome.PFRing:
		return
	case !there:
		next.Backend, next.Reason = outcome.Libpcap, outcome.ModuleGone
		next.Message = w.ModuleName + " was loaded and has been unloaded since; capture on this node continues with libpcap"
	case was.Backend != outcome.PFRing || !m.is(was.Module):
		next = w.another(m)
	default:
		how := w.Host.otherParameters(w.ModuleName, was.Module.Parameters, "")
		if how == "" || was.Reason == outcome.OtherParameters {
			return
		}
		next.Reason, next.Message = outcome.OtherParameters, "the parameters have changed of "+w.ModuleName+": "+how
	}
	next.Time = time.Now()
	w.mu.Lock()
	w.now = next
	w.mu.Unlock()
	w.Log.Warn("the module's state has changed", "backend", next.Backend, "reason", next.Reason, "message", next.Message)
	w.Record.Write(next, w.Log)
}

// another is the outcome for a module that is not the load that was known: it is
// late, or there again, or has taken the other's place. Only the very load that
// an agent of this boot speaks of is what that has verified.
func (w *Watch) another(m *LoadedModule) outcome.Outcome {
	if w.first.Backend == outcome.PFRing && m.is(w.first.Module) {
		return w.first
	}
	if o, err := ReadOutcome(w.State); err == nil && o != nil && o.BootID == w.first.BootID && o.Backend == outcome.PFRing && m.is(o.Module) {
		return *o // a successor of this pod has loaded it
	}
	o := w.first
	o.Backend, o.Reason = outcome.PFRing, outcome.AlreadyLoaded
	o.Message = w.ModuleName + " " + m.Version + " was loaded by another process since the agent started"
	o.Module = m.foreign()
	if w.first.Reason == outcome.WaitTimeout {
		o.Module.Source, o.Module.Verified = "kmm", outcome.VerifiedKMM
	}
	return o
}

// UnloadAtEnd unloads the module as the agent ends, and writes down what holds
// then.
func (w *Watch) UnloadAtEnd(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	o := w.Outcome()
	err := Unload(ctx, w.Host, w.ModuleName)
	if err == nil {
		o.Backend, o.Reason, o.Message = outcome.Libpcap, outcome.ModuleGone, w.ModuleName+" was unloaded as the agent ended (unloadOnDestroy)"
	} else {
		o.Reason, o.Message = outcome.UnloadBusy, err.Error()
		if r := (*refusal)(nil); errors.As(err, &r) {
			o.Reason = r.reason
		}
	}
	o.Time = time.Now()
	w.Log.Info("the agent ends", "reason", o.Reason, "message", o.Message)
	w.Record.Write(o, w.Log)
}
