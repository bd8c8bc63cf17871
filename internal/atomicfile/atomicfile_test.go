package atomicfile_test

import (
	"errors"
	"io/fs"
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

func TestLivingWritersAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index.json")
	slow, err := atomicfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	// The name of one file begins as that of another does.
	other, err := atomicfile.Create(path + ".minisig")
	if err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Replace(path, []byte("fast"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.WriteString("slow"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(slow.Commit(0o644), other.Discard()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "slow" {
		t.Errorf("%q %v, want the last that was committed", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestReplaceInStaysBelowItsRoot(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := atomicfile.ReplaceIn(root, "link/file", []byte("x"), 0o644); err == nil {
		t.Error("written through a link that leads out")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside there is %v (%v)", entries, err)
	}
	if err := atomicfile.ReplaceIn(root, "new/folder/file", []byte("x"), 0o644); err != nil {
		t.Error(err)
	}
}

func TestCleanRemovesWhatKilledWritersHaveLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".a.ko.12.tmp", "sub/.b.ko.34.tmp", "keep.tmp", ".keep.1x.tmp", ".hidden"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := atomicfile.Clean(root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".a.ko.12.tmp": false, "sub/.b.ko.34.tmp": false, "keep.tmp": true, ".keep.1x.tmp": true, ".hidden": true} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
