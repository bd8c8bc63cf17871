package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/docs/blocks"
)

// tests/commands runs those that say so.
func TestEveryBlockOfCommandsIsRunOrSaysWhyNot(t *testing.T) {
	files, err := blocks.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		found, err := blocks.Read(root, name)
		if err != nil {
			t.Error(err)
		}
		for _, b := range found {
			if !b.IsCommands() {
				continue
			}
			seen++
			_, test, err := b.Plan()
			if err != nil {
				t.Error(err)
			}
			if test[0] != "" && !hasTest(t, test[0], test[1]) {
				t.Errorf("%s: there is no %s in %s", b.Place(), test[1], test[0])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d blocks of commands were found", seen)
	}
}

func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`).Match(text) {
			return true
		}
	}
	return false
}
