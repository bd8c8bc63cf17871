package docs_test

import (
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
