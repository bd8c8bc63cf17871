package renderer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/renderer"
)

func file(name, text string) renderer.File { return renderer.File{Name: name, Data: []byte(text)} }

// listing is the folder's files with their text, without our own marker.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.Name() == ".pfring-render.json" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWriteDirReplacesWhatItWroteBefore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "base")
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "1"), file("b.yaml", "1")}); err != nil {
		t.Fatal(err)
	}
	if err := renderer.WriteDir(dir, []renderer.File{file("b.yaml", "2"), file("c.yaml", "2")}); err != nil {
		t.Fatal(err)
	}
	got := listing(t, dir)
	if len(got) != 2 || got["b.yaml"] != "2" || got["c.yaml"] != "2" {
		t.Errorf("got %v", got)
	}
}

func TestWriteDirLeavesForeignFilesAlone(t *testing.T) {
	for name, prepare := range map[string]func(dir string){
		"a file":             func(dir string) { write(t, filepath.Join(dir, "mine.yaml"), "mine") },
		"a file of our name": func(dir string) { write(t, filepath.Join(dir, "a.yaml"), "mine") },
		"a hidden file":      func(dir string) { write(t, filepath.Join(dir, ".git"), "mine") },
		"among ours": func(dir string) {
			if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "old")}); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "mine.yaml"), "mine")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			prepare(dir)
			before := listing(t, dir)
			err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "new"), file("z.yaml", "new")})
			if e := (*renderer.ForeignFilesError)(nil); !errors.As(err, &e) || e.Dir != dir || len(e.Files) == 0 {
				t.Fatalf("got %v", err)
			}
			after := listing(t, dir)
			if len(after) != len(before) {
				t.Errorf("before %v, after %v", before, after)
			}
			for n, text := range before {
				if after[n] != text {
					t.Errorf("%s was changed to %q", n, after[n])
				}
			}
		})
	}
}

func TestWriteDirLeavesAFolderOfForeignFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "new")}); err == nil {
		t.Error("a folder was taken for a file of ours")
	}
}

// A symbolic link may lead anywhere: what it points at is not ours.
func TestWriteDirFollowsNoLinks(t *testing.T) {
	dir := t.TempDir()
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "old")}); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.yaml")
	write(t, other, "mine")
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "new")}); err == nil {
		t.Error("a link was taken for a file of ours")
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "mine" {
		t.Errorf("the file behind the link is %q, %v", data, err)
	}
}

// What a killed run leaves is cleaned up by the next one.
func TestWriteDirCleansUpAfterAKilledRun(t *testing.T) {
	dir := t.TempDir()
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "old")}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".pfring-render-tmp-123")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(left, "a.yaml"), "half")
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "new")}); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); len(got) != 1 || got["a.yaml"] != "new" {
		t.Errorf("got %v", got)
	}
}

// A file that cannot be written leaves the old ones whole, and no folder where
// none was.
func TestWriteDirChangesNothingWhenItFails(t *testing.T) {
	dir := t.TempDir()
	old := []renderer.File{file("a.yaml", "old"), file("b.yaml", "old")}
	if err := renderer.WriteDir(dir, old); err != nil {
		t.Fatal(err)
	}
	tooLong := strings.Repeat("x", 300)
	if err := renderer.WriteDir(dir, []renderer.File{file("a.yaml", "new"), file(tooLong, "new")}); err == nil {
		t.Fatal("a name of 300 bytes was written")
	}
	if got := listing(t, dir); len(got) != 2 || got["a.yaml"] != "old" || got["b.yaml"] != "old" {
		t.Errorf("got %v", got)
	}
	fresh := filepath.Join(dir, "fresh")
	if err := renderer.WriteDir(fresh, []renderer.File{file(tooLong, "new")}); err == nil {
		t.Fatal("a name of 300 bytes was written")
	}
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new folder was left: %v", err)
	}
}

func TestWriteDirTellsABrokenMarker(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".pfring-render.json"), "{")
	if err := renderer.WriteDir(dir, nil); err == nil || !strings.Contains(err.Error(), ".pfring-render.json") {
		t.Errorf("got %v", err)
	}
}

// A marker that somebody wrote cannot make us remove files elsewhere.
func TestMarkerNamesNothingOutsideTheFolder(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "victim.yaml"), "mine")
	write(t, filepath.Join(inside, ".pfring-render.json"), `{"schemaVersion":1,"files":["../victim.yaml"]}`)
	if err := renderer.WriteDir(inside, []renderer.File{file("a.yaml", "new")}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "victim.yaml")); err != nil {
		t.Error(err)
	}
}

func TestForeignFilesErrorNamesAFew(t *testing.T) {
	err := &renderer.ForeignFilesError{Dir: "d", Files: []string{"a", "b", "c", "d", "e"}}
	if text := err.Error(); !strings.Contains(text, "a, b, c and 2 more") {
		t.Errorf("got %s", text)
	}
}
