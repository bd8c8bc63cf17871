package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// interrupting is a repository that has the agent asked to end when it has delivered
// a file.
type interrupting struct {
	module.Source
	file string
	end  context.CancelFunc
}

func (s interrupting) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	data, err := s.Source.Fetch(ctx, path, max)
	if strings.HasSuffix(path, s.file) {
		s.end()
	}
	return data, err
}

// interruption is where an agent is asked to end: when a file has come, or as a
// system call begins.
type interruption struct {
	file, call string
	// replaces says that another version is loaded.
	replaces bool
	want     outcome.Reason // "" for no module of this agent
}

// Whenever an agent is asked to end, the node has a module that is known, or none, and
// the next agent loads as if nothing had been.
func TestAnAgentThatIsInterruptedLeavesNothingHalfDone(t *testing.T) {
	for name, c := range map[string]interruption{
		"index":                   {file: module.IndexName},
		"signature":               {file: module.SignatureName},
		"module":                  {file: ".ko.zst"},
		"load":                    {call: "init_module", want: outcome.Loaded},
		"module, to replace":      {file: ".ko.zst", replaces: true},
		"unloading, to replace":   {call: "delete_module", replaces: true, want: outcome.Replaced},
		"loading, as it replaces": {call: "init_module", replaces: true, want: outcome.Replaced},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			opts := loadOptions(t, m)
			opts.State, opts.Cache, opts.ReplaceLoaded = m.path("host/state.json"), m.path("cache"), true
			if c.replaces {
				m.load("8.8.0", 0)
			}
			before := m.host().blank("n1")
			before.Message = "what was before"
			Record{State: opts.State}.Write(before, quiet())
			had := content(t, opts.State)
			c.check(t, m, opts, had)
			next := Load(t.Context(), opts)
			if next.Backend != outcome.PFRing || next.Module.Version != "8.9.0" || next.Module.Verified != outcome.VerifiedSignature {
				t.Errorf("the next agent says %+v", next)
			}
			left, err := filepath.Glob(m.path("cache/repositories/*/*"))
			if err != nil || len(left) > 2 {
				t.Errorf("left in the cache: %v, %v", left, err)
			}
		})
	}
}

// check runs an agent that is interrupted, and holds what it leaves against what the
// state file had.
func (c interruption) check(t *testing.T, m *machine, opts LoadOptions, had string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	if good := opts.Source; c.file != "" {
		opts.Source = func() (module.Source, error) {
			s, err := good()
			return interrupting{s, c.file, end}, err
		}
	}
	m.during = func(call string) {
		if call == c.call {
			end()
		}
	}
	defer func() { m.during = nil }()
	o := Load(ctx, opts)
	if ctx.Err() == nil {
		t.Fatal("it was not interrupted")
	}
	state, loaded := content(t, opts.State), m.host().Loaded("pf_ring")
	if c.want != "" {
		if o.Reason != c.want || loaded == nil || loaded.Version != "8.9.0" || !strings.Contains(state, `"verified":"signature"`) {
			t.Errorf("%s: %s; loaded: %+v; the state file has %s", o.Reason, o.Message, loaded, state)
		}
		return
	}
	if o.Reason == outcome.Loaded || o.Reason == outcome.Replaced || state != had {
		t.Errorf("%s: %s; the state file has %s", o.Reason, o.Message, state)
	}
	if (loaded != nil) != c.replaces || m.inits+m.deletes > 0 {
		t.Errorf("loaded: %+v, after %d loads and %d unloads", loaded, m.inits, m.deletes)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// PF_RING answers a moment after it was loaded.
func TestAModuleThatAnswersLateIsKnownThoughTheAgentIsAskedToEnd(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.State = m.path("host/state.json")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	answers := make(chan struct{})
	m.loaded = func() {
		info := m.path("proc/net/pf_ring/info")
		if err := os.Rename(info, info+".later"); err != nil {
			t.Error(err)
		}
		end()
		go func() {
			defer close(answers)
			time.Sleep(30 * time.Millisecond)
			if err := os.Rename(info+".later", info); err != nil {
				t.Error(err)
			}
		}()
	}
	o := Load(ctx, opts)
	<-answers
	check(t, o, outcome.PFRing, outcome.Loaded, "8.9.0 answers")
	if stands, err := ReadOutcome(opts.State); err != nil || stands == nil || stands.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("the state file has %+v, %v", stands, err)
	}
}

// A module that cannot be loaded here takes no other's place.
func TestAModuleWithoutItsDependencyReplacesNone(t *testing.T) {
	m := newMachine(t)
	m.load("8.8.0", 0)
	opts := loadOptions(t, m, "depends=failover")
	opts.ReplaceLoaded = true
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.OtherVersionLoaded, "depends on failover")
	if m.deletes > 0 {
		t.Error("the loaded module was unloaded")
	}
}

// What an agent has left is worth as much after the clock was set, by however much: it
// is of this boot, and of this very load.
func TestAClockThatWasSetChangesNoVerdict(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, set := range []time.Duration{-year, year} {
		t.Run(set.String(), func(t *testing.T) {
			m := newMachine(t)
			opts := loadOptions(t, m)
			opts.State, opts.Watch, opts.Cache, opts.Linger = m.path("host/state.json"), m.path("host/watch.json"), m.path("cache"), 20*time.Millisecond
			first := Load(t.Context(), opts)
			check(t, first, outcome.PFRing, outcome.Loaded, "")
			// What was written when the clock was different.
			first.Time = first.Time.Add(-set)
			Record{State: opts.State}.Write(first, quiet())
			for _, path := range []string{opts.State, m.path("cache/seen.json")} {
				if err := os.Chtimes(path, first.Time, first.Time); err != nil {
					t.Fatal(err)
				}
			}
			again := Load(t.Context(), opts)
			check(t, again, outcome.PFRing, outcome.AlreadyLoaded, "")
			if again.Module != first.Module {
				t.Errorf("%+v is now %+v", first.Module, again.Module)
			}
			// A worker that waits takes the same outcome.
			waited := Wait(t.Context(), WaitOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Mode: WaitAuto, State: opts.State, Timeout: time.Minute, Log: quiet()})
			if waited.Module != first.Module {
				t.Errorf("%+v, for a worker %+v", first.Module, waited.Module)
			}
			// A fallback of this boot ends its waiting, whenever it was.
			m.unload()
			first.Backend, first.Reason = outcome.Libpcap, outcome.NoModuleForKernel
			Record{State: opts.State}.Write(first, quiet())
			waited = Wait(t.Context(), WaitOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Mode: WaitAuto, State: opts.State, Log: quiet()})
			if waited.Reason != outcome.NoModuleForKernel {
				t.Errorf("a worker waits for %+v", waited)
			}
		})
	}
}

// A node boots with a clock of the year 2000, before any file of its disk: no wait is
// longer for that, and an index of the future is taken with a warning.
func TestANodeWhoseClockIsDecadesBehindLoadsAsAnyOther(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.State, opts.Watch, opts.Cache, opts.Linger = m.path("host/state.json"), m.path("host/watch.json"), m.path("cache"), 30*time.Second
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if start.Year() != 2000 {
			t.Fatalf("the clock says %s", start)
		}
		check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
		// The file's time is of the real clock, so nobody watches as far as can be seen.
		check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
		if took := time.Since(start); took < opts.Linger || took > opts.Linger+time.Second {
			t.Errorf("both loads took %s", took)
		}
		m.unload()
		o := Wait(t.Context(), WaitOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Mode: WaitKMM, Timeout: 4 * time.Minute, Log: quiet()})
		if took := time.Since(start); o.Reason != outcome.WaitTimeout || took > opts.Linger+4*time.Minute+2*time.Second {
			t.Errorf("%+v after %s", o, took)
		}
	})
}
