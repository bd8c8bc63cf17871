package node

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// onRecord calls f when something is logged that is not a warning.
type onRecord struct {
	slog.Handler
	f func()
}

func (h onRecord) Enabled(_ context.Context, level slog.Level) bool { return level == slog.LevelInfo }

func (h onRecord) Handle(context.Context, slog.Record) error {
	h.f()
	return nil
}

// lingering is a machine on which another has loaded the module, and options
// with a state file. The agent is seen to linger when it says so.
func lingering(t *testing.T, linger time.Duration, meanwhile func(*machine, LoadOptions)) (*machine, LoadOptions) {
	t.Helper()
	m := newMachine(t)
	m.load("8.8.0", 0)
	opts := loadOptions(t, m)
	opts.State, opts.Linger = m.path("state.json"), linger
	opts.Log = slog.New(onRecord{slog.DiscardHandler, func() { meanwhile(m, opts) }})
	return m, opts
}

func TestAModuleThatIsUnloadedSoonAfterIsLoadedAgain(t *testing.T) {
	m, opts := lingering(t, time.Hour, func(m *machine, _ LoadOptions) { m.unload() })
	o := Load(t.Context(), opts)
	check(t, o, outcome.PFRing, outcome.Loaded, "8.9.0 answers")
	if m.inits != 1 {
		t.Errorf("%d modules reached the kernel", m.inits)
	}
}

func TestAModuleThatStaysCounts(t *testing.T) {
	_, opts := lingering(t, 250*time.Millisecond, func(*machine, LoadOptions) {})
	o := Load(t.Context(), opts)
	check(t, o, outcome.PFRing, outcome.OtherVersionLoaded, "8.8.0")
}

func TestAnAgentDoesNotLingerWhereAnotherWatchesOver(t *testing.T) {
	m, opts := lingering(t, time.Hour, func(*machine, LoadOptions) { t.Error("it lingers") })
	watching := m.host().blank("n1")
	watching.Backend, watching.Reason, watching.Module = outcome.PFRing, outcome.Loaded, m.host().Loaded("pf_ring").foreign()
	Record{State: opts.State}.Write(watching, quiet())
	opts.Version, opts.PublicKeys = "8.8.0", nil
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
}

func TestAnAgentLingersUntilAnotherHasTakenTheModuleOver(t *testing.T) {
	m, opts := lingering(t, time.Hour, func(m *machine, o LoadOptions) {
		watching := m.host().blank("n1")
		watching.Backend, watching.Reason, watching.Module = outcome.PFRing, outcome.AlreadyLoaded, m.host().Loaded("pf_ring").foreign()
		Record{State: o.State}.Write(watching, quiet())
	})
	opts.Version, opts.PublicKeys = "8.8.0", nil
	// The state file of an agent that ended long ago is not a sign of one.
	old := m.host().blank("n1")
	old.Backend, old.Module = outcome.PFRing, m.host().Loaded("pf_ring").foreign()
	Record{State: opts.State}.Write(old, quiet())
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(opts.State, past, past); err != nil {
		t.Fatal(err)
	}
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
}

// A clock that was set back leaves files with times in the future, which say
// nothing of an agent that runs now.
func TestAStateFileOfTheFutureIsNoSignOfAnAgent(t *testing.T) {
	lingers := false
	m, opts := lingering(t, 50*time.Millisecond, func(*machine, LoadOptions) { lingers = true })
	watching := m.host().blank("n1")
	watching.Backend, watching.Reason, watching.Module = outcome.PFRing, outcome.Loaded, m.host().Loaded("pf_ring").foreign()
	Record{State: opts.State}.Write(watching, quiet())
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(opts.State, future, future); err != nil {
		t.Fatal(err)
	}
	opts.Version, opts.PublicKeys = "8.8.0", nil
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
	if !lingers {
		t.Error("it did not linger")
	}
}

func TestWatchMarksTheStateFileAsItsOwn(t *testing.T) {
	m := newMachine(t)
	m.load("8.9.0", 0)
	state := m.path("state.json")
	Record{State: state}.Write(m.host().blank("n1"), quiet())
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(state, past, past); err != nil {
		t.Fatal(err)
	}
	w := NewWatch(WatchOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Poll: time.Millisecond, Log: quiet()})
	w.Record.State = state
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	defer func() {
		stop()
		<-ended
	}()
	for marked := false; !marked; time.Sleep(time.Millisecond) {
		info, err := os.Stat(state)
		if err != nil {
			t.Fatal(err)
		}
		marked = time.Since(info.ModTime()) < watchedWithin
		if t.Context().Err() != nil {
			t.Fatal("the state file was not marked")
		}
	}
}
