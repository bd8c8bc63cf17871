package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// cached is a node that has loaded PF_RING once and kept it, and its repository.
func cached(t *testing.T) (*machine, LoadOptions, *moduletest.Repository, string) {
	t.Helper()
	m := newMachine(t)
	dir := t.TempDir()
	r := moduletest.NewRepository(t)
	r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: testRelease, Arch: m.host().Arch()}, "zst")
	r.Index.Serial = 7
	r.Sign().Write(dir)
	opts := loadOptions(t, m)
	opts.PublicKeys, opts.Cache = []string{r.PublicKey}, m.path("cache")
	opts.Source = func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: "file://" + dir}) }
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
	m.unload() // the node boots
	return m, opts, r, dir
}

func TestANodeLoadsItsCopyWhenTheRepositoryIsAwayAndVerifiesItAgain(t *testing.T) {
	copied := func(t *testing.T, opts LoadOptions, pattern string) string {
		found, err := filepath.Glob(filepath.Join(opts.Cache, "repositories", "*", "current", pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v %v", found, err)
		}
		return found[0]
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *LoadOptions)
		want   outcome.Reason
	}{
		"whole": {func(*testing.T, *LoadOptions) {}, outcome.Loaded},
		"module changed": {func(t *testing.T, o *LoadOptions) {
			if err := os.WriteFile(copied(t, *o, "modules/*/*/*/*"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, outcome.SourceUnreachable},
		"index changed": {func(t *testing.T, o *LoadOptions) {
			if err := os.WriteFile(copied(t, *o, "index.json"), []byte(`{"schemaVersion":1,"module":"pf_ring"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, outcome.SourceUnreachable},
		"another key": {func(t *testing.T, o *LoadOptions) { o.PublicKeys = []string{moduletest.NewRepository(t).PublicKey} }, outcome.SourceUnreachable},
		"no cache":    {func(_ *testing.T, o *LoadOptions) { o.Cache = "" }, outcome.SourceUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			m, opts, _, dir := cached(t)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			c.change(t, &opts)
			o := Load(t.Context(), opts)
			if o.Reason != c.want || o.Module.Cached != (c.want == outcome.Loaded) {
				t.Fatalf("%+v", o)
			}
			if c.want == outcome.Loaded {
				check(t, o, outcome.PFRing, outcome.Loaded, "the node's own copy")
				if o.Module.Verified != outcome.VerifiedSignature || o.Module.Source != "file://"+dir || o.Module.Serial != 7 {
					t.Errorf("%+v", o.Module)
				}
			} else if m.host().Loaded("pf_ring") != nil {
				t.Error("it is loaded all the same")
			}
		})
	}
}

func TestANodeRefusesAnOlderIndexAndAnOlderVersionUnlessPinned(t *testing.T) {
	for name, c := range map[string]struct {
		serial  int64
		version string
		pin     string
		want    outcome.Reason
	}{
		"the same again":        {7, "8.9.0", "", outcome.Loaded},
		"newer":                 {8, "8.10.0", "", outcome.Loaded},
		"older index":           {6, "8.9.0", "", outcome.IndexRolledBack},
		"older index, pinned":   {6, "8.9.0", "8.9.0", outcome.Loaded},
		"older version":         {8, "8.8.0", "", outcome.VersionRolledBack},
		"older version, pinned": {8, "8.8.0", "8.8.0", outcome.Loaded},
		"other version, pinned": {8, "8.9.0", "8.8.0", outcome.NoModuleForKernel},
	} {
		t.Run(name, func(t *testing.T) {
			m, opts, r, dir := cached(t)
			r.Index.Modules = nil
			r.Add(moduletest.KO{Name: "pf_ring", Version: c.version, Kernel: testRelease, Arch: m.host().Arch()}, "zst")
			r.Index.Serial = c.serial
			r.Sign().Write(dir)
			opts.Version = c.pin
			if o := Load(t.Context(), opts); o.Reason != c.want || o.Module.Cached {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestACopyIsTakenWithinTheTimeOfALoadWhenTheRepositoryHangs(t *testing.T) {
	_, opts, _, dir := cached(t)
	opts.Timeout = 400 * time.Millisecond
	source, err := opts.Source()
	if err != nil {
		t.Fatal(err)
	}
	opts.Source = func() (module.Source, error) { return hangsAt{hangs{}, source.String()}, nil }
	o := Load(t.Context(), opts)
	if o.Reason != outcome.Loaded || !o.Module.Cached || o.Module.Source != "file://"+dir {
		t.Errorf("%+v", o)
	}
}

// hangsAt is a repository with an address that never answers.
type hangsAt struct {
	hangs
	address string
}

func (h hangsAt) String() string { return h.address }

func TestAnUnreadableMemoryIsNoObstacle(t *testing.T) {
	_, opts, _, _ := cached(t)
	seen := filepath.Join(opts.Cache, seenName)
	if err := errors.Join(os.WriteFile(seen, []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if o := Load(t.Context(), opts); o.Reason != outcome.Loaded {
		t.Errorf("%+v", o)
	}
	if data, err := os.ReadFile(seen); err != nil || len(data) < 20 {
		t.Errorf("it was not written again: %q, %v", data, err)
	}
}
