package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named finds paths of this repository in CONTRIBUTING.md.
var named = regexp.MustCompile("`((?:\\./)?[a-z-]+(?:/[A-Za-z0-9_.*-]+)+)`")

// What CONTRIBUTING.md names is there.
func TestContributingNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := named.FindAllStringSubmatch(string(text), -1)
	if len(paths) < 15 {
		t.Errorf("only %d paths found", len(paths))
	}
	for _, m := range paths {
		if strings.HasPrefix(m[1], "testdata/") {
			continue // of any package
		}
		if found, _ := filepath.Glob(filepath.Join("../..", strings.TrimPrefix(m[1], "./"))); len(found) == 0 {
			t.Errorf("CONTRIBUTING.md names %s, which does not exist", m[1])
		}
	}
}

// The architecture page names every package.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, top := range []string{"cmd", "internal", "module", "node", "outcome", "renderer", "values-schema"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if files, _ := filepath.Glob(filepath.Join(path, "*.go")); len(files) == 0 {
				return nil
			}
			seen++
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			siblings := filepath.ToSlash(filepath.Dir(name)) + "/*"
			if !strings.Contains(string(page), "`"+name+"`") && !strings.Contains(string(page), "`"+siblings+"`") {
				t.Errorf("docs/architecture.md names neither %s nor %s", name, siblings)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 40 {
		t.Errorf("only %d packages were found", seen)
	}
}
