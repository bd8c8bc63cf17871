package goldentest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASectionIsWrittenBetweenItsMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# A\n<!-- begin -->\nold\n<!-- end -->\nB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := *update
	defer func() { *update = before }()
	*update = true
	Section(t, path, "<!-- begin -->\n", "<!-- end -->", []byte("new\n"))
	*update = false
	Section(t, path, "<!-- begin -->\n", "<!-- end -->", []byte("new\n"))
	File(t, path, []byte("# A\n<!-- begin -->\nnew\n<!-- end -->\nB\n"))
}
