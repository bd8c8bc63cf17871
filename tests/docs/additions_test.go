package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// addition is a kind of thing that contributors add, as CONTRIBUTING.md has it.
type addition struct {
	// row is the first column of its row.
	row   string
	names []string
	// edited and written are the files that list nearly all names: by hand, and by
	// the command in the row.
	edited, written []string
}

func additions() []addition {
	var checks, schemes, recipes, reasons []string
	for _, c := range prereq.Checks() {
		checks = append(checks, c.ID)
	}
	for _, s := range module.Schemes() {
		schemes = append(schemes, s.Form)
	}
	for _, r := range build.Recipes() {
		// "el", "suse" and "debian" are in other words too.
		if len(r.Name) > 6 && !slices.Contains(recipes, r.Name) {
			recipes = append(recipes, r.Name)
		}
	}
	for _, r := range outcome.Reasons() {
		reasons = append(reasons, string(r.Reason))
	}
	return []addition{
		{row: "a check", names: checks, edited: []string{"docs/checks.md"}},
		{
			row: "a source", names: schemes, edited: []string{"module/scheme.go"},
			written: []string{
				"values-schema/values.schema.json", "charts/kubeshark-pfring/values.schema.json", "charts/kubeshark-pfring/values.yaml",
				"docs/repository.md", "docs/values.md", "docs/cli.md",
			},
		},
		{
			row: "a recipe", names: recipes,
			edited:  []string{"module/build/recipe.go", "values-schema/values.schema.json", "charts/kubeshark-pfring/values.yaml"},
			written: []string{"docs/recipes.md", "docs/values.md", "charts/kubeshark-pfring/values.schema.json"},
		},
		{row: "a reason", names: reasons, edited: []string{"outcome/reason.go"}, written: []string{"docs/reasons.md"}},
	}
}

// Who adds something edits the files that CONTRIBUTING.md names, and no other
// file has to list it too.
func TestAnAdditionChangesTheFilesThatContributingNames(t *testing.T) {
	contributing, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := sources(t)
	for _, a := range additions() {
		_, row, found := strings.Cut(string(contributing), "\n| "+a.row+" | ")
		row, _, _ = strings.Cut(row, "\n")
		if !found || len(a.names) < 2 {
			t.Errorf("%s: a row in CONTRIBUTING.md: %v; names: %v", a.row, found, a.names)
		}
		for _, file := range a.edited {
			if !strings.Contains(row, "`"+file+"`") {
				t.Errorf("CONTRIBUTING.md: the row of %s does not name %s", a.row, file)
			}
		}
		known := slices.Concat(a.edited, a.written)
		for file, text := range texts {
			listed := 0
			for _, name := range a.names {
				if strings.Contains(text, name) {
					listed++
				}
			}
			isList := 4*listed > 3*len(a.names)
			if isList != slices.Contains(known, file) {
				t.Errorf("%s: %s has %d of %d names; it is among the known lists: %v", a.row, file, listed, len(a.names), slices.Contains(known, file))
			}
		}
	}
}

// sources are the texts that contributors edit or that commands write, without
// tests and what they compare with.
func sources(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, top := range []string{"charts", "cmd", "docs", "internal", "module", "node", "outcome", "renderer", "values-schema"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "testdata" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(path, "_test.go") {
				return nil
			}
			data, err := os.ReadFile(path)
			texts[strings.TrimPrefix(filepath.ToSlash(path), root+"/")] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}
