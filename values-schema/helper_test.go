package valuesschema_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// chartDefaults is the chart's values.yaml.
func chartDefaults(t testing.TB) []byte {
	t.Helper()
	data, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// problems loads and validates; not being able to read fails the test.
func problems(t testing.TB, o valuesschema.LoadOptions) []valuesschema.Problem {
	t.Helper()
	o.Defaults = chartDefaults(t)
	doc, err := valuesschema.Load(o)
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	return doc.Validate()
}

// problemsOf validates one file of this text.
func problemsOf(t testing.TB, text string) []valuesschema.Problem {
	t.Helper()
	return problems(t, valuesschema.LoadOptions{Files: []string{"-"}, Stdin: strings.NewReader(text)})
}

func describe(found []valuesschema.Problem) string {
	var b strings.Builder
	for _, p := range found {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// ruleCase is one file of testdata/rules: values files, a line "arg --flag
// value" for each flag, and the problems to be found.
type ruleCase struct {
	name, path string
	archive    *txtar.Archive
	options    valuesschema.LoadOptions
	want       string
}

func ruleCases(t testing.TB) []ruleCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := make([]ruleCase, 0, len(paths))
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c := ruleCase{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: a}
		for _, f := range a.Files {
			switch {
			case f.Name == "want":
				c.want = string(f.Data)
			case strings.HasSuffix(f.Name, ".yaml"):
				c.options.Files = append(c.options.Files, f.Name)
			}
		}
		c.flags(t, string(a.Comment))
		cases = append(cases, c)
	}
	return cases
}

func (c *ruleCase) flags(t testing.TB, comment string) {
	t.Helper()
	for line := range strings.Lines(comment) {
		arg, ok := strings.CutPrefix(strings.TrimSpace(line), "arg ")
		if !ok {
			continue
		}
		flag, value, _ := strings.Cut(arg, " ")
		o := &c.options
		switch flag {
		case "--set":
			o.Set = append(o.Set, value)
		case "--set-string":
			o.SetString = append(o.SetString, value)
		case "--set-file":
			o.SetFile = append(o.SetFile, value)
		case "--set-json":
			o.SetJSON = append(o.SetJSON, value)
		case "--subchart":
			o.Subchart = value
		case "--namespace":
			o.Namespace = value
		case "--release-name":
			o.ReleaseName = value
		default:
			t.Fatalf("%s: no such flag: %s", c.path, flag)
		}
	}
}

// validate writes the case's files into a folder and validates them there.
func (c *ruleCase) validate(t *testing.T) []valuesschema.Problem {
	t.Helper()
	c.enter(t)
	return problems(t, c.options)
}

// enter makes a folder with the case's files the working directory.
func (c *ruleCase) enter(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range c.archive.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}
