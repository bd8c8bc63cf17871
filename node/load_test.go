package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
		"kernel refuses": {func(m *machine, _ *LoadOptions) { m.initErr = unix.EKEYREJECTED }, outcome.SignatureRequired, "no signature"},
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
		"the same":                        {nil, "8.9.0", 0, outcome.AlreadyLoaded, "", "8.9.0"},
		"the pinned one, source is away":  {func(_ *testing.T, _ *machine, o *LoadOptions) { o.Version, o.PublicKeys = "8.8.0", nil }, "8.8.0", 0, outcome.AlreadyLoaded, "", "8.8.0"},
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
	first.BootID = "another"
	Record{State: opts.State}.Write(first, quiet())
	third := Load(t.Context(), opts)
	if third.Module.Verified != outcome.VerifiedNone {
		t.Errorf("another boot's proof counts: %+v", third.Module)
	}
}

// What is wanted is version, content and parameters: a difference is mended where
// the values allow it and nothing uses the module, else it is told.
func TestAnotherBuildOrOtherParametersAreReplacedOrTold(t *testing.T) {
	for name, c := range map[string]struct {
		parameters string
		rebuilt    bool
		reason     outcome.Reason
		says       string
	}{
		"as before":                 {"min_num_slots=8192", false, outcome.AlreadyLoaded, ""},
		"the same number":           {"min_num_slots=0x2000", false, outcome.AlreadyLoaded, ""},
		"another value":             {"min_num_slots=65536", false, outcome.OtherParameters, "min_num_slots is 8192, wanted is 65536"},
		"no longer wanted":          {"", false, outcome.OtherParameters, "wanted is its default"},
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
}

func TestARepositoryThatHangsEndsWithTheDeadline(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	opts.Timeout = 20 * time.Millisecond
	opts.Source = func() (module.Source, error) { return hangs{}, nil }
	o := Load(t.Context(), opts)
	check(t, o, outcome.Libpcap, outcome.SourceTimeout, "")
}
