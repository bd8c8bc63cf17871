package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// A controller that is away, as while its node boots too, must not keep a node
// from its own copy for longer than a short try. Without a copy of the module for
// this kernel there is nothing to gain from haste.
func TestANodeWithItsModuleInTheCacheAsksOnlyBriefly(t *testing.T) {
	kernel := func(r *moduletest.Repository, release, arch string) {
		r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: release, Arch: arch}, "zst")
	}
	for name, c := range map[string]struct {
		// then is what the server does after the first load, boots is what the node boots.
		then  func(*httptest.Server, *atomic.Value)
		boots string
		want  bool
	}{
		"refuses": {func(s *httptest.Server, _ *atomic.Value) { s.Close() }, testRelease, true},
		"hangs": {func(_ *httptest.Server, serve *atomic.Value) {
			serve.Store(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		}, testRelease, true},
		"is slow": {func(_ *httptest.Server, serve *atomic.Value) {
			whole := serve.Load().(http.HandlerFunc)
			serve.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, module.IndexName) {
					whole(w, r)
					return
				}
				select { // longer than a short try
				case <-time.After(time.Second):
					whole(w, r)
				case <-r.Context().Done():
				}
			}))
		}, testRelease, false},
		"is slow, and the copy is for another kernel": {func(_ *httptest.Server, serve *atomic.Value) {
			whole := serve.Load().(http.HandlerFunc)
			serve.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(time.Second):
					whole(w, r)
				case <-r.Context().Done():
				}
			}))
		}, "6.1.0-19-amd64", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			r := moduletest.NewRepository(t)
			kernel(r, testRelease, m.host().Arch())
			kernel(r, "6.1.0-19-amd64", m.host().Arch())
			dir := t.TempDir()
			r.Sign().Write(dir)
			var serve atomic.Value
			serve.Store(http.HandlerFunc(http.FileServer(http.Dir(dir)).ServeHTTP))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve.Load().(http.HandlerFunc)(w, r) }))
			defer server.Close()
			opts := loadOptions(t, m)
			opts.PublicKeys, opts.Cache = []string{r.PublicKey}, m.path("cache")
			opts.Source = func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: server.URL}) }
			check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
			m.unload()
			m.release = c.boots
			c.then(server, &serve)
			// Whoever asked for as long as these allow would not end with the module.
			opts.Timeout, opts.Brief = time.Hour, 200*time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if o := Load(ctx, opts); o.Reason != outcome.Loaded || o.Module.Cached != c.want {
				t.Errorf("%+v", o)
			}
		})
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

// What a newer agent remembers beside is kept by an older one that writes the
// file, and what it remembers in another form is as if it were not there.
func TestAnOlderAgentKeepsWhatANewerOneRemembers(t *testing.T) {
	_, opts, _, _ := cached(t)
	path := filepath.Join(opts.Cache, seenName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var now map[string]map[string]any
	if err := json.Unmarshal(data, &now); err != nil || len(now) != 1 {
		t.Fatalf("%s: %v", data, err)
	}
	var key string
	for key = range now {
		now[key]["serial"], now[key]["revoked"] = 6, []string{"ab"}
	}
	newer, err := json.Marshal(map[string]any{key: now[key], "schemaVersion": 2, "another": map[string]any{"serial": "text"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
	var after map[string]json.RawMessage
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &after); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{key: `"serial":7`, "schemaVersion": "2", "another": "text"} {
		if !strings.Contains(string(after[name]), want) {
			t.Errorf("%s: no %s in %s", name, want, data)
		}
	}
	if !strings.Contains(string(after[key]), "revoked") {
		t.Errorf("what was added is gone: %s", data)
	}
}

// A load that found nothing newer writes nothing: a node's disk is not worn by
// agents that start again and again.
func TestWhatWasSeenIsWrittenOnlyWhenItGrows(t *testing.T) {
	m, opts, r, dir := cached(t)
	path := filepath.Join(opts.Cache, seenName)
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	for _, grows := range []bool{false, true, false} {
		before := stat()
		if grows {
			r.Index.Serial++
		}
		r.Sign().Write(dir)
		check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
		m.unload()
		if after := stat(); os.SameFile(before, after) == grows {
			t.Errorf("serial %d: written: %v, want %v", r.Index.Serial, !grows, grows)
		}
	}
}
