package node

import (
	"context"
	"os"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// watchedWithin is how fresh the file of an agent that runs is at least: Watch
// marks it at every look.
const watchedWithin = time.Minute

// stays returns the loaded module once it is known to stay. After a change from
// kmm to auto, KMM unloads when its controller comes to it, some seconds later,
// and the agent would have come, seen the module and left. So a module that no
// agent of this mode has watched over until now is looked at for a while before
// it counts. Nothing waits for that but the agent: the module can be used
// meanwhile.
func (l *loading) stays(ctx context.Context, m *LoadedModule) *LoadedModule {
	if m == nil || l.Linger == 0 || l.watched(m) {
		return m
	}
	l.Log.Info("the module is loaded, but not by a running agent: checking whether it stays loaded", "version", m.Version, "for", l.Linger.String())
	for end := time.Now().Add(l.Linger); time.Now().Before(end) && wait.For(ctx, 100*time.Millisecond) == nil; {
		if m = l.Host.Loaded(l.ModuleName); m == nil || !m.Live {
			return l.Host.settled(ctx, l.ModuleName)
		}
		if l.watched(m) {
			// Another agent has taken it over.
			return m
		}
	}
	return m
}

// watched tells whether an agent of this mode watches over the module, or did
// until just now: a pod's successor need not linger.
func (l *loading) watched(m *LoadedModule) bool {
	if l.before(m) == nil {
		return false
	}
	for _, path := range []string{l.Watch, l.State} {
		info, err := os.Stat(path)
		// A time in the future is of a clock that was set back since.
		if err == nil && time.Since(info.ModTime()).Abs() < watchedWithin {
			return true
		}
	}
	return false
}

// forget removes what an agent of this boot has said as it unloaded the module:
// whoever waits for the module shall wait for this load.
func (l *loading) forget() {
	o, err := ReadOutcome(l.Watch)
	if err == nil && o != nil && o.BootID == l.out.BootID && o.Backend == outcome.Libpcap {
		_ = os.Remove(l.Watch) // else a worker that starts now does not wait
	}
}

// mark says by the file's time that an agent watches.
func (r Record) mark() {
	if r.State == "" {
		return
	}
	now := time.Now()
	// Without the file, or the right to it, the next agent lingers.
	_ = os.Chtimes(r.State, now, now)
}
