package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/flock"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// turnWithin is how long an agent waits for another one of this node that is
// handing a module to the kernel: longer than that takes, and no longer, as
// whoever may read the folder can hold its lock.
const turnWithin = 5 * time.Second

// turn keeps the agents of one node apart while they change what the kernel has or
// what the state file says of it, so that the two agree. Without a state file
// there is nothing to agree; without a lock the agent goes on.
func turn(ctx context.Context, state string, log *slog.Logger) (end func()) {
	if state == "" {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	unlock, err := flock.Dir(ctx, filepath.Dir(state))
	if err != nil {
		log.Debug("other agents of this node are not kept apart", "error", err)
		return func() {}
	}
	return func() { _ = unlock() } // closing a folder that was read loses nothing
}

// Settle writes down the outcome of a load, and returns what holds on the node
// then. Where another agent has loaded the module meanwhile, the module is there
// and is what that agent has verified: nothing that this one knows less of takes
// the place of that.
func (r Record) Settle(ctx context.Context, h *Host, module string, o outcome.Outcome, log *slog.Logger) outcome.Outcome {
	defer turn(ctx, r.State, log)()
	stands, err := ReadOutcome(r.State)
	m := h.Loaded(module)
	if err != nil || stands == nil || m == nil || stands.BootID == "" || stands.BootID != o.BootID || stands.Backend != outcome.PFRing || !m.is(stands.Module) {
		r.Write(o, log)
		return o
	}
	switch {
	case o.Backend == outcome.PFRing && o.Reason == stands.Reason && o.Module == stands.Module:
		// It stands there since the load.
		Record{Shared: r.Shared, Termination: r.Termination}.Write(o, log)
		return o
	case o.Backend != outcome.PFRing && m.Live && h.usable(module):
		o.Backend, o.Reason = outcome.PFRing, outcome.AlreadyLoaded
		o.Message = module + " " + m.Version + " answers: another agent of this node has loaded it, while this one could not: " + o.Message
		o.Module = stands.Module
	case o.Backend == outcome.PFRing && !m.is(o.Module), o.Module.Source == unknownSource:
		o.Module = stands.Module
	}
	r.Write(o, log)
	return o
}
