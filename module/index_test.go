package module_test

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// entry is a good entry, changed by with.
func entry(with func(*module.Entry)) module.Entry {
	e := module.Entry{
		KernelRelease: moduletest.Kernel, Arch: "amd64", Version: "8.9.0", Path: "modules/amd64/x/pf_ring.ko", Size: 1,
		SHA256: strings.Repeat("0f", 32),
	}
	if with != nil {
		with(&e)
	}
	return e
}

func index(entries ...module.Entry) module.Index {
	return module.Index{SchemaVersion: 1, Module: "pf_ring", Serial: 1, Modules: entries}
}

func TestParseIndexRefusesWhatIsNoIndex(t *testing.T) {
	with := func(change func(*module.Entry)) module.Index { return index(entry(change)) }
	for name, x := range map[string]any{
		"an array":        []string{"5.10.199-190.747.amzn2.x86_64"},
		"a text":          "<html>",
		"an empty object": struct{}{},
		"newer schema":    module.Index{SchemaVersion: 2, Module: "pf_ring"},
		"no module":       module.Index{SchemaVersion: 1},
		"serial below 0":  module.Index{SchemaVersion: 1, Module: "pf_ring", Serial: -1},
		"twice":           index(entry(nil), entry(func(e *module.Entry) { e.Path = "other" })),
		"no release":      with(func(e *module.Entry) { e.KernelRelease = "" }),
		"no arch":         with(func(e *module.Entry) { e.Arch = "" }),
		"no version":      with(func(e *module.Entry) { e.Version = "" }),
		"no size":         with(func(e *module.Entry) { e.Size = 0 }),
		"size below 0":    with(func(e *module.Entry) { e.Size = -5 }),
		"no digest":       with(func(e *module.Entry) { e.SHA256 = "" }),
		"short digest":    with(func(e *module.Entry) { e.SHA256 = "0f" }),
		"upper case":      with(func(e *module.Entry) { e.SHA256 = strings.Repeat("0F", 32) }),
		"no path":         with(func(e *module.Entry) { e.Path = "" }),
		"path .":          with(func(e *module.Entry) { e.Path = "." }),
		"path reversed":   with(func(e *module.Entry) { e.Path = "a\u202eb" }),
		"version escape":  with(func(e *module.Entry) { e.Version = "8.9.0\x1b[2J" }),
		"kernel newline":  with(func(e *module.Entry) { e.KernelRelease = "6.1\n" }),
		"build of zeros":  with(func(e *module.Entry) { e.KernelVersion = "#1\x00" }),
		"path up":         with(func(e *module.Entry) { e.Path = "modules/../../etc/passwd" }),
		"path absolute":   with(func(e *module.Entry) { e.Path = "/etc/passwd" }),
		"path backslash":  with(func(e *module.Entry) { e.Path = `..\x` }),
		"path query":      with(func(e *module.Entry) { e.Path = "x?y" }),
		"path escaped":    with(func(e *module.Entry) { e.Path = "%2e%2e/x" }),
		"path a URL":      with(func(e *module.Entry) { e.Path = "https://elsewhere/x" }),
	} {
		data, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := module.ParseIndex(data); reason(err) != outcome.SourceInvalid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "{", `{"schemaVersion":1,"module":"pf_ring"} x`} {
		if _, err := module.ParseIndex([]byte(text)); reason(err) != outcome.SourceInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseIndexReadsTheContractsForm(t *testing.T) {
	x, err := module.ParseIndex([]byte(`{"schemaVersion":1,"module":"pf_ring","serial":7,"created":"2026-01-02T03:04:05Z","expires":"2027-01-02T03:04:05Z",
		"added later":true,"modules":[{"kernelRelease":"6.1.0-18+deb","arch":"arm64","version":"8.9.0","path":"modules/arm64/6.1.0-18+deb/pf_ring.ko.zst","size":3,
		"sha256":"` + strings.Repeat("0f", 32) + `","vermagic":"6.1.0-18+deb SMP ","signed":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if x.Serial != 7 || x.Expires.Year() != 2027 || len(x.Modules) != 1 || !x.Modules[0].Signed || x.Modules[0].Size != 3 {
		t.Errorf("%+v", x)
	}
}

func TestFindTakesTheHighestVersionForExactlyThisKernel(t *testing.T) {
	versions := func(vs ...string) (out []module.Entry) {
		for _, v := range vs {
			out = append(out, entry(func(e *module.Entry) { e.Version = v }))
		}
		return out
	}
	other := entry(func(e *module.Entry) { e.KernelRelease, e.Version = moduletest.Kernel+"-2", "99" })
	arm := entry(func(e *module.Entry) { e.KernelRelease, e.Arch = "6.6.6", "arm64" })
	x := index(append(versions("8.9.0", "8.10.0", "8.8.0"), other, arm)...)
	for _, test := range []struct {
		kernel, arch, version string
		want, says            string
	}{
		{moduletest.Kernel, "amd64", "", "8.10.0", ""},
		{moduletest.Kernel, "amd64", "8.9.0", "8.9.0", ""},
		{moduletest.Kernel, "amd64", "8.7.0", "", "8.9.0, 8.10.0, 8.8.0"},
		{"6.6.6", "amd64", "", "", "arm64"},
		{"6.1.0-18-cloud", "amd64", "", "", "none of its 5 modules"},
		{"", "", "", "", "none"},
	} {
		got, err := x.Find(test.kernel, test.arch, test.version)
		if got.Version != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: %+v, %v", test, got, err)
		}
		if err != nil && (reason(err) != outcome.NoModuleForKernel || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	data, err := json.Marshal(index(entry(nil)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schemaVersion":1,"module":"pf_ring","modules":[{"kernelRelease":"a","arch":"b","version":"c","path":"../x","size":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := module.ParseIndex(data)
		if err != nil {
			if reason(err) != outcome.SourceInvalid {
				t.Errorf("%v", err)
			}
			return
		}
		for _, e := range x.Modules {
			if path.Clean("/root/"+e.Path) != "/root/"+e.Path || slices.Contains(strings.Split(e.Path, "/"), "..") {
				t.Errorf("path %q leaves the root", e.Path)
			}
			if _, err := x.Find(e.KernelRelease, e.Arch, e.Version); err != nil {
				t.Errorf("listed and not found: %v", err)
			}
		}
	})
}

func FuzzParseVersions(f *testing.F) {
	f.Add([]byte(`["5.10.199-190.747.amzn2.x86_64"]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		releases, err := module.ParseVersions(data)
		if (err == nil) == (releases == nil) || (err != nil && reason(err) != outcome.SourceInvalid) {
			t.Errorf("%v, %v", releases, err)
		}
	})
}
