package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/internal/flock"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// loadOptions are for a folder with a signed repository that has PF_RING 8.9.0
// for the machine's kernel.
func loadOptions(t *testing.T, m *machine, fields ...string) LoadOptions {
	t.Helper()
	if fields == nil {
		fields = []string{"parmtype=min_num_slots:uint"}
	}
	dir := t.TempDir()
	r := moduletest.NewRepository(t)
	r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: testRelease, Arch: m.host().Arch(), Fields: fields}, "zst")
	r.Sign().Write(dir)
	m.keys = []string{r.PublicKey}
	return LoadOptions{
		Host: m.host(), Node: "n1", ModuleName: "pf_ring", Verify: outcome.VerifiedSignature, PublicKeys: []string{r.PublicKey},
		Source:  func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: "file://" + dir}) },
		Timeout: time.Minute, Log: quiet(),
	}
}

func noSource(t *testing.T) func() (module.Source, error) {
	return func() (module.Source, error) {
		t.Error("the repository was asked")
		return nil, errors.New("no")
	}
}

func check(t *testing.T, o outcome.Outcome, backend outcome.Backend, reason outcome.Reason, says string) {
	t.Helper()
	if o.Backend != backend || o.Reason != reason || !strings.Contains(o.Message, says) {
		t.Errorf("got %s %s: %s\nwant %s %s with %q", o.Backend, o.Reason, o.Message, backend, reason, says)
	}
	if o.Kernel != testRelease || o.BootID != testBoot || o.Node != "n1" || o.Time.IsZero() {
		t.Errorf("an outcome without its facts: %+v", o)
	}
}

func TestLoadVerifiesAndLoads(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.Parameters = "min_num_slots=65536"
	o := Load(t.Context(), opts)
	check(t, o, outcome.PFRing, outcome.Loaded, "8.9.0 answers")
	if o.Module.Verified != outcome.VerifiedSignature || len(o.Module.SHA256) != 64 || o.Module.Version != "8.9.0" || o.FetchedBytes == 0 {
		t.Errorf("%+v", o)
	}
	if m.params != "min_num_slots=65536" {
		t.Errorf("the kernel got %q", m.params)
	}
}

func TestLoadFallsBackAndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*machine, *LoadOptions)
		reason outcome.Reason
		says   string
	}{
		"no key": {func(_ *machine, o *LoadOptions) { o.PublicKeys = nil }, outcome.SourceUnsigned, ""},
		"another key": {func(_ *machine, o *LoadOptions) {
			o.PublicKeys = []string{"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"}
		}, outcome.SignatureInvalid, ""},
		"no such version": {func(_ *machine, o *LoadOptions) { o.Version = "9.9.9" }, outcome.NoModuleForKernel, "9.9.9"},
		"no source": {func(_ *machine, o *LoadOptions) {
			o.Source = func() (module.Source, error) { return nil, errors.New("broken") }
		}, outcome.Internal, "broken"},
		"bad parameters": {func(_ *machine, o *LoadOptions) { o.Parameters = "a" }, outcome.BadParameter, `"a"`},
		"kernel refuses": {func(m *machine, _ *LoadOptions) { m.initErr = unix.EKEYREJECTED }, outcome.SignatureRequired, "is not signed"},
		"init fails": {func(m *machine, _ *LoadOptions) {
			m.initErr, m.log, m.logAfter = unix.ENXIO, []string{"old pf_ring line"}, []string{"[PF_RING] out of luck"}
		}, outcome.InitFailed, "out of luck"},
		"no seccomp": {func(m *machine, _ *LoadOptions) { m.probeErr = unix.EPERM }, outcome.SeccompDenied, ""},
		"too late":   {func(_ *machine, o *LoadOptions) { o.Timeout = time.Nanosecond }, outcome.SourceTimeout, ""},
		"built in":   {func(m *machine, _ *LoadOptions) { m.initErr = unix.EEXIST }, outcome.KernelRejected, "built in"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			opts := loadOptions(t, m)
			c.change(m, &opts)
			o := Load(t.Context(), opts)
			check(t, o, outcome.Libpcap, c.reason, c.says)
			if m.host().Loaded("pf_ring") != nil {
				t.Error("a module is loaded all the same")
			}
			if c.reason != outcome.SignatureRequired && c.reason != outcome.InitFailed && c.reason != outcome.KernelRejected && m.inits > 0 {
				t.Error("a module that was not verified reached the kernel")
			}
		})
	}
}

func TestAModuleThatDoesNotAnswerIsNotUsable(t *testing.T) {
	m := newMachine(t)
	m.load("8.9.0", 0)
	m.write("proc/net/pf_ring/info", "")
	check(t, Load(t.Context(), loadOptions(t, m)), outcome.Libpcap, outcome.NotUsable, "does not answer")
}

func TestALoadedModuleIsKeptWhateverTheRepositorySays(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*testing.T, *machine, *LoadOptions)
		loaded  string
		refs    int
		reason  outcome.Reason
		says    string
		version string
	}{
		"the same":                       {nil, "8.9.0", 0, outcome.AlreadyLoaded, "", "8.9.0"},
		"the pinned one, source is away": {func(_ *testing.T, _ *machine, o *LoadOptions) { o.Version, o.PublicKeys = "8.8.0", nil }, "8.8.0", 0, outcome.AlreadyLoaded, "", "8.8.0"},
		"pinned, to be replaced, source is away": {func(_ *testing.T, _ *machine, o *LoadOptions) {
			o.Version, o.ReplaceLoaded, o.PublicKeys = "8.9.0", true, nil
		}, "8.8.0", 0, outcome.OtherVersionLoaded, "is unavailable", "8.8.0"},
		"another, pinned, source is away": {func(_ *testing.T, _ *machine, o *LoadOptions) { o.Version, o.PublicKeys = "8.9.0", nil }, "8.8.0", 0, outcome.OtherVersionLoaded, "8.9.0 is wanted", "8.8.0"},
		"pinned, to be replaced":          {func(_ *testing.T, _ *machine, o *LoadOptions) { o.Version, o.ReplaceLoaded = "8.9.0", true }, "8.8.0", 0, outcome.Replaced, "replaced by 8.9.0", "8.9.0"},
		"in use by one":                   {func(_ *testing.T, _ *machine, o *LoadOptions) { o.ReplaceLoaded = true }, "8.8.0", 1, outcome.OtherVersionLoaded, "in use", "8.8.0"},
		"without rights":                  {func(t *testing.T, m *machine, o *LoadOptions) { m.probeErr, o.Source = unix.EPERM, noSource(t) }, "8.8.0", 0, outcome.AlreadyLoaded, "", "8.8.0"},
		"source is away":                  {func(_ *testing.T, _ *machine, o *LoadOptions) { o.PublicKeys = nil }, "8.8.0", 0, outcome.AlreadyLoaded, "", "8.8.0"},
		"another":                         {nil, "8.8.0", 0, outcome.OtherVersionLoaded, "replaceLoaded", "8.8.0"},
		"another, pinned":                 {func(_ *testing.T, _ *machine, o *LoadOptions) { o.Version = "8.9.0" }, "8.8.0", 0, outcome.OtherVersionLoaded, "8.9.0", "8.8.0"},
		"another in use":                  {func(_ *testing.T, _ *machine, o *LoadOptions) { o.ReplaceLoaded = true }, "8.8.0", 3, outcome.OtherVersionLoaded, "in use", "8.8.0"},
		"another to be replaced":          {func(_ *testing.T, _ *machine, o *LoadOptions) { o.ReplaceLoaded = true }, "8.8.0", 0, outcome.Replaced, "replaced by 8.9.0", "8.9.0"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.load(c.loaded, c.refs)
			opts := loadOptions(t, m)
			if c.change != nil {
				c.change(t, m, &opts)
			}
			o := Load(t.Context(), opts)
			check(t, o, outcome.PFRing, c.reason, c.says)
			if c.refs > 0 && m.deletes > 0 {
				t.Error("the kernel was asked to unload what is in use")
			}
			if o.Module.Version != c.version {
				t.Errorf("version %s, want %s", o.Module.Version, c.version)
			}
		})
	}
}

func TestARestartedAgentRemembersWhatItVerifiedInThisBoot(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.State = m.path("state.json")
	first := Load(t.Context(), opts)
	Record{State: opts.State}.Write(first, quiet())
	second := Load(t.Context(), opts)
	check(t, second, outcome.PFRing, outcome.AlreadyLoaded, "")
	if second.Module != first.Module {
		t.Errorf("got %+v, want %+v", second.Module, first.Module)
	}
	// Another has unloaded it and loaded one that is just alike.
	m.unload()
	m.load("8.9.0", 0)
	foreign := Load(t.Context(), opts)
	check(t, foreign, outcome.PFRing, outcome.AlreadyLoaded, "")
	if foreign.Module.Verified != outcome.VerifiedNone || foreign.Module.SHA256 != "" || foreign.Module.Source != "unknown" {
		t.Errorf("a module of somebody else counts as verified: %+v", foreign.Module)
	}
	// Inodes may be the same in another boot.
	first.BootID, first.Module.Instance = "another", m.host().Loaded("pf_ring").Instance
	Record{State: opts.State}.Write(first, quiet())
	third := Load(t.Context(), opts)
	if third.Module.Verified != outcome.VerifiedNone {
		t.Errorf("another boot's proof counts: %+v", third.Module)
	}
}

// What is wanted is version, content and parameters: a difference is fixed where
// the values allow it and nothing uses the module, else it is reported.
func TestAnotherBuildOrOtherParametersAreReplacedOrTold(t *testing.T) {
	for name, c := range map[string]struct {
		parameters string
		rebuilt    bool
		reason     outcome.Reason
		says       string
	}{
		"as before":                 {"min_num_slots=8192", false, outcome.AlreadyLoaded, ""},
		"the same number":           {"min_num_slots=0x2000", false, outcome.AlreadyLoaded, ""},
		"another value":             {"min_num_slots=65536", false, outcome.OtherParameters, "min_num_slots is 8192, must be 65536"},
		"no longer wanted":          {"", false, outcome.OtherParameters, "must be its default"},
		"one that the module lacks": {"min_num_slots=8192 no_such=1", false, outcome.AlreadyLoaded, ""},
		"rebuilt":                   {"min_num_slots=8192", true, outcome.OtherBuild, "another build"},
		"rebuilt, other parameters": {"min_num_slots=1", true, outcome.OtherBuild, "another build"},
	} {
		for _, replace := range []bool{false, true} {
			for _, refs := range []int{0, 1} {
				m := newMachine(t)
				opts := loadOptions(t, m)
				opts.State, opts.Parameters = m.path("state.json"), "min_num_slots=8192"
				first := Load(t.Context(), opts)
				Record{State: opts.State}.Write(first, quiet())
				m.load("8.9.0", refs)
				if c.rebuilt {
					opts.Source = loadOptions(t, m, "parmtype=min_num_slots:uint", "rebuilt=yes").Source
					opts.PublicKeys = m.keys
				}
				opts.Parameters, opts.ReplaceLoaded = c.parameters, replace
				o := Load(t.Context(), opts)
				reason, says := c.reason, c.says
				if replace && refs == 0 && !c.reason.Good() {
					reason = outcome.Replaced
				} else if replace && refs > 0 && !c.reason.Good() {
					says = "in use"
				}
				t.Run(name, func(t *testing.T) { check(t, o, outcome.PFRing, reason, says) })
				if replaced := m.inits == 2; replaced != (reason == outcome.Replaced) || (replaced && m.params != strings.Join(strings.Fields(c.parameters), " ")) {
					t.Errorf("%s: %d loads, parameters %q", name, m.inits, m.params)
				}
			}
		}
	}
}

// One module is one build, however it is compressed, where the index and what was
// loaded name the digest of the module itself.
func TestTheSameModuleCompressedOtherwiseIsTheSameBuild(t *testing.T) {
	for name, c := range map[string]struct {
		had, has outcome.Module
		other    bool
	}{
		"the same file":                  {outcome.Module{SHA256: "a", ModuleSHA256: "m"}, outcome.Module{SHA256: "a", ModuleSHA256: "m"}, false},
		"compressed otherwise":           {outcome.Module{SHA256: "a", ModuleSHA256: "m"}, outcome.Module{SHA256: "b", ModuleSHA256: "m"}, false},
		"another module":                 {outcome.Module{SHA256: "a", ModuleSHA256: "m"}, outcome.Module{SHA256: "b", ModuleSHA256: "n"}, true},
		"an older index, the same file":  {outcome.Module{SHA256: "a", ModuleSHA256: "m"}, outcome.Module{SHA256: "a"}, false},
		"an older index, another file":   {outcome.Module{SHA256: "a", ModuleSHA256: "m"}, outcome.Module{SHA256: "b"}, true},
		"an older outcome, another file": {outcome.Module{SHA256: "a"}, outcome.Module{SHA256: "b", ModuleSHA256: "m"}, true},
		"an outcome without a digest":    {outcome.Module{}, outcome.Module{SHA256: "b"}, false},
	} {
		if other := otherBuild(c.had, module.Entry{SHA256: c.has.SHA256, ModuleSHA256: c.has.ModuleSHA256}); other != c.other {
			t.Errorf("%s: another build: %v", name, other)
		}
	}
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.State, opts.ReplaceLoaded = m.path("state/state.json"), true
	Load(t.Context(), opts)
	dir, r := t.TempDir(), moduletest.NewRepository(t)
	r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: testRelease, Arch: m.host().Arch(), Fields: []string{"parmtype=min_num_slots:uint"}}, "xz")
	r.Sign().Write(dir)
	opts.PublicKeys = []string{r.PublicKey}
	opts.Source = func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: "file://" + dir}) }
	o := Load(t.Context(), opts)
	check(t, o, outcome.PFRing, outcome.AlreadyLoaded, "")
	if o.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("%+v", o.Module)
	}
}

// Of agents that come at once one loads, and all of them, and the state file in
// the end, know what that one has verified.
func TestAgentsOfOneNodeAgreeOnWhatWasLoaded(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.State = m.path("state/state.json")
	if err := os.Mkdir(m.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	record := Record{State: opts.State}
	var all sync.WaitGroup
	outcomes := make([]outcome.Outcome, 4)
	for i := range outcomes {
		all.Go(func() {
			outcomes[i] = record.Settle(t.Context(), opts.Host, "pf_ring", Load(t.Context(), opts), quiet())
		})
	}
	all.Wait()
	state, err := ReadOutcome(opts.State)
	if err != nil || state == nil {
		t.Fatal(state, err)
	}
	count := map[outcome.Reason]int{}
	for _, o := range append(outcomes, *state) {
		count[o.Reason]++
		if o.Module.Verified != outcome.VerifiedSignature || o.Module.Instance == 0 {
			t.Errorf("%s: %+v", o.Reason, o.Module)
		}
	}
	if m.loads != 1 || count[outcome.Loaded] > 2 || count[outcome.Loaded]+count[outcome.AlreadyLoaded] != 5 {
		t.Errorf("%d loads, %v", m.loads, count)
	}
}

// An agent that knows less than the one that has loaded the module takes nothing
// away from what that has written.
func TestAnOutcomeSettlesWithWhatAnotherAgentHasWritten(t *testing.T) {
	theirs := outcome.Module{Version: "8.9.0", SHA256: "a", Source: "s3://b", Verified: outcome.VerifiedSignature}
	for name, c := range map[string]struct {
		change func(m *machine, ours, stands *outcome.Outcome)
		reason outcome.Reason
		theirs bool
	}{
		"ours could not be fetched": {func(_ *machine, ours, _ *outcome.Outcome) {
			ours.Backend, ours.Reason, ours.Module = outcome.Libpcap, outcome.SourceUnreachable, outcome.Module{}
		}, outcome.AlreadyLoaded, true},
		"ours does not know whose it is": {func(_ *machine, ours, _ *outcome.Outcome) {
			ours.Reason, ours.Module.Source, ours.Module.Verified = outcome.AlreadyLoaded, unknownSource, outcome.VerifiedNone
		}, outcome.AlreadyLoaded, true},
		"ours speaks of a load that has gone":   {func(_ *machine, ours, _ *outcome.Outcome) { ours.Module.Instance = 1 }, outcome.Loaded, true},
		"theirs is of another boot":             {func(_ *machine, _, stands *outcome.Outcome) { stands.BootID = "b0" }, outcome.Loaded, false},
		"theirs speaks of a load that has gone": {func(_ *machine, _, stands *outcome.Outcome) { stands.Module.Instance = 1 }, outcome.Loaded, false},
		"nothing is loaded":                     {func(m *machine, _, _ *outcome.Outcome) { m.unload() }, outcome.Loaded, false},
		"it does not answer, and ours says so": {func(m *machine, ours, _ *outcome.Outcome) {
			m.write("proc/net/pf_ring/info", "")
			ours.Backend, ours.Reason = outcome.Libpcap, outcome.NotUsable
		}, outcome.NotUsable, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.load("8.9.0", 0)
			record := Record{State: m.path("state/state.json")}
			ours, stands := loadedOutcome(m), loadedOutcome(m)
			stands.Module = theirs
			stands.Module.Instance = m.host().Loaded("pf_ring").Instance
			ours.Module = outcome.Module{Version: "8.9.0", SHA256: "b", Source: "https://c", Verified: outcome.VerifiedChecksum, Instance: stands.Module.Instance}
			c.change(m, &ours, &stands)
			record.Write(stands, quiet())
			o := record.Settle(t.Context(), m.host(), "pf_ring", ours, quiet())
			if o.Reason != c.reason || (o.Module.SHA256 == theirs.SHA256) != c.theirs {
				t.Errorf("%s, %+v", o.Reason, o.Module)
			}
			if kept, err := ReadOutcome(record.State); err != nil || kept.Module != o.Module || kept.Reason != o.Reason {
				t.Errorf("written is %+v, %v", kept, err)
			}
		})
	}
}

// Whoever may read the folder can hold its lock: that keeps no agent waiting for
// long.
func TestAHeldLockDoesNotKeepAnAgent(t *testing.T) {
	dir := t.TempDir()
	unlock, err := flock.Dir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	turn(ctx, filepath.Join(dir, "state.json"), quiet())()
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestTheLoserOfARaceIsNoFailure(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	source := opts.Source
	opts.Source = func() (module.Source, error) {
		m.load("8.9.0", 0)
		m.initErr = unix.EEXIST
		return source()
	}
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
	// The winner's is not the version that is pinned here.
	m = newMachine(t)
	opts = loadOptions(t, m)
	source = opts.Source
	opts.Version = "8.9.0"
	opts.Source = func() (module.Source, error) {
		m.load("8.8.0", 0)
		return source()
	}
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.OtherVersionLoaded, "8.9.0 is wanted")
}

func TestARepositoryThatHangsEndsWithTheDeadline(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.Timeout = 20 * time.Millisecond
	opts.Source = func() (module.Source, error) { return hangs{}, nil }
	o := Load(t.Context(), opts)
	check(t, o, outcome.Libpcap, outcome.SourceTimeout, "")
}
