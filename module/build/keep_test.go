package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
)

func made(t *testing.T, k moduletest.KO) Module {
	t.Helper()
	arch := k.Arch
	if arch == "" {
		arch = "amd64"
	}
	m, err := Check(k.Bytes(), k.Kernel, arch)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCheckRefusesWhatWasNotAskedFor(t *testing.T) {
	good := moduletest.KO{Kernel: "6.1.0-18-amd64"}
	for _, c := range []struct {
		name, says string
		ko         []byte
	}{
		{"another module", "dummy", moduletest.KO{Name: "dummy", Kernel: good.Kernel}.Bytes()},
		{"another kernel", "6.1.0-19-amd64", moduletest.KO{Kernel: "6.1.0-19-amd64"}.Bytes()},
		{"another machine", "arm64", moduletest.KO{Kernel: good.Kernel, Arch: "arm64"}.Bytes()},
		{"half of it", "", good.Bytes()[:100]},
		{"text", "", []byte("make: *** no rule\n")},
	} {
		if _, err := Check(c.ko, good.Kernel, "amd64"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := Check(good.Bytes(), good.Kernel, "amd64"); err != nil {
		t.Error(err)
	}
}

func TestModulesOfOneReleaseForTwoArchitecturesKeepApart(t *testing.T) {
	dir := t.TempDir()
	release := "5.14.0-503.el9+64k"
	for _, arch := range []string{"amd64", "arm64"} {
		path, err := WriteFile(dir, made(t, moduletest.KO{Kernel: release, Arch: arch}), true)
		if want := filepath.Join(dir, arch, "pf-ring-"+release+".ko.zst"); err != nil || path != want {
			t.Errorf("%s %v, want %s", path, err, want)
		}
	}
}

func TestARepositoryTakesModulesOrStaysAsItWas(t *testing.T) {
	dir := t.TempDir()
	o := repository.Options{Now: time.Now(), Lifetime: time.Hour}
	first := made(t, moduletest.KO{Kernel: "6.1.0-18-amd64"})
	change, err := AddToRepository(t.Context(), dir, []Module{first}, o)
	if err != nil || len(change.Index.Modules) != 1 || change.Index.Serial != 1 {
		t.Fatalf("%+v %v", change, err)
	}
	second := made(t, moduletest.KO{Kernel: "6.1.0-19-amd64"})
	if change, err = AddToRepository(t.Context(), dir, []Module{first, second}, o); err != nil || len(change.Index.Modules) != 2 || change.Index.Serial != 2 {
		t.Fatalf("%+v %v", change, err)
	}

	// The same key under another path.
	third := made(t, moduletest.KO{Kernel: "6.1.0-20-amd64"})
	if err := os.Rename(filepath.Join(dir, "modules", "amd64", "6.1.0-19-amd64", "pf_ring.ko.zst"), filepath.Join(dir, "old.ko.zst")); err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Update(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	before := read(t, dir)
	_, err = AddToRepository(t.Context(), dir, []Module{third, second}, o)
	if err == nil || !strings.Contains(err.Error(), "old.ko.zst") {
		t.Errorf("two modules for one key: %v", err)
	}
	same(t, dir, before)

	// Something in the folder that no index can be made of.
	if err := os.WriteFile(filepath.Join(dir, "broken.ko"), []byte("no module"), 0o644); err != nil {
		t.Fatal(err)
	}
	before = read(t, dir)
	changed := made(t, moduletest.KO{Kernel: "6.1.0-18-amd64", Padding: 100})
	if _, err := AddToRepository(t.Context(), dir, []Module{third, changed}, o); err == nil || !strings.Contains(err.Error(), "broken.ko") {
		t.Errorf("a broken file: %v", err)
	}
	same(t, dir, before)
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil || files[filepath.Join(dir, module.IndexName)] == "" {
		t.Fatalf("%v %v", files, err)
	}
	return files
}

func same(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := read(t, dir)
	for path, text := range before {
		if after[path] != text {
			t.Errorf("%s changed", path)
		}
		delete(after, path)
	}
	for path := range after {
		t.Errorf("%s is left", path)
	}
}

// Where a distribution gives each build a release of its own, the headers' version
// keeps no module from its node.
func TestARepositoryNamesTheBuildWhereAReleaseHasSeveral(t *testing.T) {
	for kernel, test := range map[string]struct {
		says string
		want bool
	}{
		"6.8.0-40-generic":       {"#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC Tue Jul 30 17:30:19 UTC 2", true},
		"6.6.31+":                {"#2 SMP Tue Jul 30 17:30:19 UTC 2024", true},
		"6.6.31":                 {"#2 SMP Tue Jul 30 17:30:19 UTC 2024", true},
		"5.14.0-427.el9.x86_64":  {"#1 SMP PREEMPT_DYNAMIC Tue Jul 30 17:30:19 UTC 2024", false},
		"6.1.0-18-amd64":         {"#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)", false},
		"6.4.0-150600.8-default": {"#1 SMP PREEMPT_DYNAMIC Tue Jul 30 17:30:19 UTC 2024 (c3f9a5b)", false},
	} {
		m := made(t, moduletest.KO{Kernel: kernel})
		m.KernelVersion = test.says
		change, err := AddToRepository(t.Context(), t.TempDir(), []Module{m}, repository.Options{Now: time.Now(), Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if got := change.Index.Modules[0].KernelVersion; got != map[bool]string{true: test.says}[test.want] {
			t.Errorf("%s: %q", kernel, got)
		}
	}
}

// Two builds of one kernel release lie beside each other; the next build for one of
// them replaces only its own.
func TestARepositoryKeepsTheModulesOfTwoBuildsOfARelease(t *testing.T) {
	dir := t.TempDir()
	o := repository.Options{Now: time.Now(), Lifetime: time.Hour}
	add := func(padding int, build string) map[string]string {
		t.Helper()
		m := made(t, moduletest.KO{Kernel: "6.8.0-40-generic", Padding: padding})
		m.KernelVersion = build
		change, err := AddToRepository(t.Context(), dir, []Module{m}, o)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range change.Index.Modules {
			got[e.KernelVersion] = e.Path + " " + e.SHA256
		}
		if len(got) != len(change.Index.Modules) {
			t.Errorf("one build is listed twice: %+v", change.Index.Modules)
		}
		return got
	}
	const noble, jammy = "#40-Ubuntu SMP PREEMPT_DYNAMIC", "#40~22.04.3-Ubuntu SMP PREEMPT_DYNAMIC"
	first := add(100, noble)
	second := add(200, jammy)
	if len(second) != 2 || second[noble] != first[noble] {
		t.Fatalf("%v, then %v", first, second)
	}
	third := add(300, jammy)
	if len(third) != 2 || third[noble] != first[noble] || third[jammy] == second[jammy] {
		t.Errorf("%v, then %v", second, third)
	}
	if fourth := add(400, noble); len(fourth) != 2 || fourth[jammy] != third[jammy] || fourth[noble] == third[noble] {
		t.Errorf("%v, then %v", third, fourth)
	}
	// Nobody knows what this one is for: it takes the usual place.
	if fifth := add(500, ""); len(fifth) != 2 || fifth[""] == "" || fifth[jammy] == "" {
		t.Errorf("%v", fifth)
	}
}
