package valuesschema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Whatever stands in a file and in the arguments, it ends in values or in
// problems that can be read.
func FuzzValidate(f *testing.F) {
	for _, c := range ruleCases(f) {
		for _, file := range c.archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(string(file.Data), strings.Join(c.options.Set, " "), strings.Join(c.options.SetJSON, " "))
			}
		}
	}
	complete, err := filepath.Glob("../charts/testdata/*.values.yaml")
	if err != nil || len(complete) == 0 {
		f.Fatalf("no values of the chart's tests: %v", err)
	}
	for _, name := range complete {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "tap.kernelModule.kernelMappings[1].regexp=(", `tap={"a":[null]}`)
	}
	defaults := chartDefaults(f)
	f.Fuzz(func(t *testing.T, text, set, setJSON string) {
		if hugeIndex(set) || hugeIndex(setJSON) {
			// strvals, Helm's own parser, fills a list up to the index.
			t.Skip()
		}
		o := valuesschema.LoadOptions{Files: []string{"-"}, Stdin: strings.NewReader(text), Defaults: defaults}
		if set != "" {
			o.Set, o.SetString = []string{set}, []string{set}
		}
		if setJSON != "" {
			o.SetJSON = []string{setJSON}
		}
		doc, err := valuesschema.Load(o)
		if err != nil {
			t.Fatalf("what was read is reported as unreadable: %v", err)
		}
		for _, p := range doc.Validate() {
			readable(t, p)
		}
	})
}

func hugeIndex(arg string) bool {
	digits := 0
	for _, c := range arg {
		if c < '0' || c > '9' {
			digits = 0
			continue
		}
		if digits++; digits > 3 {
			return true
		}
	}
	return false
}

func readable(t *testing.T, p valuesschema.Problem) {
	t.Helper()
	if p.Rule == "" || p.Rule == "internal" || p.Message == "" || p.Line < 0 || p.Column < 0 || p.Line > 0 && p.Column == 0 {
		t.Fatalf("a problem without rule, message or place: %#v", p)
	}
	if p.Severity != valuesschema.Error && p.Severity != valuesschema.Warning {
		t.Fatalf("severity %q", p.Severity)
	}
	text := p.String()
	if lines := strings.Count(text, "\n"); lines > 2 || strings.Contains(text, "%!") || strings.Contains(text, "interface {}") {
		t.Fatalf("not fit to read:\n%s", text)
	}
	if !utf8.ValidString(text) {
		t.Fatalf("not UTF-8: %q", text)
	}
}

// A path survives being written only if its keys are plain; whatever it is,
// writing it does not fail.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", ".", "tap", "tap.kernelModule.mode", "a..b", "a[0].b", `a."b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := valuesschema.ParsePath(s)
		if len(p) != strings.Count(s, ".")+1 {
			t.Fatalf("%q has %d steps", s, len(p))
		}
		plain := !strings.ContainsAny(s, "[]\" ") && !strings.Contains("."+s+".", "..")
		if text := p.String(); plain && text != s {
			t.Fatalf("%q is written as %q", s, text)
		}
	})
}
