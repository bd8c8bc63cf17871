package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
)

func TestReplaceLeavesOneFileWithTheModeAskedFor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index.json")
	if err := os.WriteFile(filepath.Join(dir, ".index.json.1.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := atomicfile.Replace(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q %v", got, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
}

func TestAFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	// A folder cannot be replaced by a file.
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(path, []byte("x"), 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
	if err := atomicfile.Replace(filepath.Join(dir, "no", "such"), nil, 0o644); err == nil {
		t.Error("written into a folder that is not there")
	}
}
