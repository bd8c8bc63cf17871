package renderer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// When putting files in place ends halfway, the folder holds old and new ones, and
// the next run has to know both as its own.
func TestOldFilesStayListedUntilAllNewOnesAreThere(t *testing.T) {
	dir, stage := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// A file cannot take the place of a folder.
	if err := os.MkdirAll(filepath.Join(dir, "new.yaml", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFiles(dir, stage, []string{"old.yaml"}, []File{{Name: "new.yaml", Data: []byte("1")}}); err == nil {
		t.Fatal("a folder was replaced")
	}
	if listed, err := readMarker(dir); err != nil || !slices.Contains(listed, "old.yaml") || !slices.Contains(listed, "new.yaml") {
		t.Errorf("listed are %v, %v", listed, err)
	}
}
