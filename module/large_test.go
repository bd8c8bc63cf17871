package module_test

import (
	"slices"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A signature of minisign's older kind is over the index itself, which is held
// for it; both kinds are verified alike.
func TestASignatureOfTheOlderKindCounts(t *testing.T) {
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	q := request(r)
	q.PublicKeys = []string{public.String()}
	r.Files[module.SignatureName] = minisign.Sign(private, r.Files[module.IndexName])
	v, err := get(t, r.Files, q)
	if err != nil || v.Signer == "" || v.Serial != r.Index.Serial {
		t.Fatalf("%+v, %v", v, err)
	}
	r.Files[module.IndexName] = append(r.Files[module.IndexName], '\n')
	if _, err := get(t, r.Files, q); reason(err) != outcome.SignatureInvalid {
		t.Errorf("a changed index: %v", err)
	}
}

// What does not fit into the memory says how much would do, and that does.
func TestAModuleThatDoesNotFitSaysWhichLimitWould(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Padding: mib}, "xz").Sign()
	q := request(r)
	q.Memory = mib
	_, err := get(t, r.Files, q)
	if reason(err) != outcome.TooLarge || !strings.Contains(err.Error(), "agent.resources.limits.memory") {
		t.Fatalf("%v", err)
	}
	q.Memory = module.WorkingMemory(64 * mib)
	if _, err := get(t, r.Files, q); err != nil {
		t.Error(err)
	}
}

// The memory that a module takes is the file, what is in it and, of xz, the
// dictionary; neither a byte less nor one more.
func TestAModuleTakesJustTheMemoryThatItNeeds(t *testing.T) {
	ko := append(moduletest.KO{Padding: mib / 2}.Bytes(), make([]byte, mib)...)[:mib]
	for format, window := range map[string]int{module.FormatGz: 0, module.FormatZst: 0, module.FormatXz: mib} {
		r := moduletest.NewRepository(t).AddFile(moduletest.Kernel, "amd64", "8.9.0", ko, format).Sign()
		q := request(r)
		q.Memory = int64(len(r.Files[r.Index.Modules[0].Path]) + len(ko) + window)
		if _, err := get(t, r.Files, q); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		q.Memory--
		if _, err := get(t, r.Files, q); reason(err) != outcome.TooLarge {
			t.Errorf("%s, a byte too little: %v", format, err)
		}
	}
}

// An index of just the serial that is asked for, or was seen, is not older.
func TestAnIndexOfTheSameSerialIsTaken(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	q := request(r)
	q.MinSerial = r.Index.Serial
	v, err := get(t, r.Files, q)
	if err != nil {
		t.Fatal(err)
	}
	q.Seen = map[string]module.Seen{v.Signer: {Serial: v.Serial, Versions: map[string]string{q.Kernel: v.Info.Version}}}
	if _, err := get(t, r.Files, q); err != nil {
		t.Error(err)
	}
	q.Seen = map[string]module.Seen{v.Signer: {Serial: v.Serial + 1}}
	if _, err := get(t, r.Files, q); reason(err) != outcome.IndexRolledBack {
		t.Errorf("an older one than was seen: %v", err)
	}
	q.Seen = map[string]module.Seen{v.Signer: {Versions: map[string]string{q.Kernel: "99"}}}
	if _, err := get(t, r.Files, q); reason(err) != outcome.VersionRolledBack {
		t.Errorf("an older version than was seen: %v", err)
	}
}

// A module counts for another kernel release only with a proof, and only one of
// the kind that proves it.
func TestAModuleOfAnotherReleaseCountsOnlyWithProof(t *testing.T) {
	for proof, want := range map[string]outcome.Reason{module.ProofSymvers: "", "hope": outcome.NoModuleForKernel, "": outcome.NoModuleForKernel} {
		r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst")
		r.Index.Modules[0].Fits = []module.Fit{{KernelRelease: "6.1.0-99-amd64", Proof: proof}}
		r.Sign()
		q := request(r)
		q.Kernel = "6.1.0-99-amd64"
		v, err := get(t, r.Files, q)
		if reason(err) != want || (want == "" && (err != nil || v.FitsBy != module.ProofSymvers)) {
			t.Errorf("%q: %+v, %v", proof, v, err)
		}
	}
}

// Two builds of one kernel release are distinguished by uname -v.
func TestOfTwoBuildsOfAReleaseTheOneThatRunsIsTaken(t *testing.T) {
	entry := func(version, build string) module.Entry {
		return entry(func(e *module.Entry) { e.Version, e.KernelVersion, e.Path = version, build, "m/"+version+build+".ko" })
	}
	for name, c := range map[string]struct {
		entries []module.Entry
		runs    string
		want    string
		reason  outcome.Reason
	}{
		"its own":           {[]module.Entry{entry("8.9.0", "#1"), entry("8.9.0", "#2")}, "#2", "m/8.9.0#2.ko", ""},
		"rather than any":   {[]module.Entry{entry("8.9.0", ""), entry("8.9.0", "#2")}, "#2", "m/8.9.0#2.ko", ""},
		"any":               {[]module.Entry{entry("8.9.0", ""), entry("8.9.0", "#1")}, "#2", "m/8.9.0.ko", ""},
		"none":              {[]module.Entry{entry("8.9.0", "#1")}, "#2", "", outcome.OtherBuild},
		"unknown what runs": {[]module.Entry{entry("8.9.0", "#1")}, "", "m/8.9.0#1.ko", ""},
	} {
		x := index(c.entries...)
		got, err := x.FindFor(module.Wanted{Kernel: moduletest.Kernel, KernelVersion: c.runs, Arch: "amd64"})
		if got.Path != c.want || reason(err) != c.reason {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What Ubuntu, Debian and kernels made by hand print for uname -v, and what their
// modules say.
func TestBuildsOfAReleaseAreToldApartAsTheirKernelsNameThem(t *testing.T) {
	const (
		jammy = "#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC Tue Jul 30 17:30:19 UTC 2"
		noble = "#40-Ubuntu SMP PREEMPT_DYNAMIC Fri Jul  5 10:34:03 UTC 2024"
		plain = "6.6.31+ SMP mod_unload aarch64"
		real  = "6.6.31+ SMP preempt_rt mod_unload aarch64"
	)
	one := func(path, build, vermagic string) module.Entry {
		return entry(func(e *module.Entry) { e.Path, e.KernelVersion, e.Vermagic = path, build, vermagic })
	}
	for name, c := range map[string]struct {
		entries []module.Entry
		runs    string
		want    string
		reason  outcome.Reason
	}{
		"Ubuntu HWE":                        {[]module.Entry{one("noble", noble, ""), one("jammy", jammy, "")}, jammy, "jammy", ""},
		"Ubuntu's own":                      {[]module.Entry{one("noble", noble, ""), one("jammy", jammy, "")}, noble, "noble", ""},
		"Ubuntu HWE, only its own is there": {[]module.Entry{one("noble", noble, "")}, jammy, "", outcome.OtherBuild},
		"the same text on another day":      {[]module.Entry{one("a", "#1 SMP Tue May  7 09:00:52 UTC 2024", plain)}, "#1 SMP Wed May  8 09:00:52 UTC 2024", "", outcome.OtherBuild},
		"a later upload of Debian": {[]module.Entry{one("a", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-01)", "")},
			"#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", "a", ""},
		"Debian's very upload first": {[]module.Entry{one("a", "#1 SMP Debian 6.1.192-1 (2026-11-01)", ""), one("b", "#1 SMP Debian 6.1.192-2 (2026-11-16)", "")},
			"#1 SMP Debian 6.1.192-2 (2026-11-16)", "b", ""},
		"real-time by vermagic":               {[]module.Entry{one("plain", "", plain), one("real", "", real)}, "#3 SMP PREEMPT_RT Tue May  7 2024", "real", ""},
		"not real-time by vermagic":           {[]module.Entry{one("plain", "", plain), one("real", "", real)}, "#3 SMP Tue May  7 2024", "plain", ""},
		"a text that is none of the kernel's": {[]module.Entry{one("real", "", real), one("plain", "", plain)}, "mine", "real", ""},
		"no build named, vermagic differs":    {[]module.Entry{one("real", "", real)}, "#3 SMP Tue May  7 2024", "real", ""},
	} {
		x := index(c.entries...)
		if err := x.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := x.FindFor(module.Wanted{Kernel: moduletest.Kernel, KernelVersion: c.runs, Arch: "amd64"})
		if got.Path != c.want || reason(err) != c.reason {
			t.Errorf("%s: %s, %v", name, got.Path, err)
		}
	}
}

func TestAnIndexTellsForWhichBuildsItsModulesAre(t *testing.T) {
	one := func(version, build string) module.Entry {
		return entry(func(e *module.Entry) { e.Version, e.KernelVersion = version, build })
	}
	for name, c := range map[string]struct {
		entries []module.Entry
		version string
		want    []string
	}{
		"two":            {[]module.Entry{one("8.9.0", "#2"), one("8.9.0", "#1"), one("8.8.0", "#2")}, "", []string{"#1", "#2"}},
		"of one version": {[]module.Entry{one("8.9.0", "#2"), one("8.8.0", "#1")}, "8.8.0", []string{"#1"}},
		"one fits any":   {[]module.Entry{one("8.9.0", "#2"), one("8.8.0", "")}, "", nil},
	} {
		x := index(c.entries...)
		if got := x.Builds(moduletest.Kernel, "amd64", c.version); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
