package readfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

func TestRegular(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("12345"), 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		max  int64
		want error
	}{
		"as large as it may be": {file, 5, nil},
		"one byte larger":       {file, 4, readfile.ErrTooLarge},
		"a pipe":                {pipe, 10, readfile.ErrNotRegular},
		"an endless device":     {"/dev/zero", 10, readfile.ErrNotRegular},
		"a folder":              {dir, 10, readfile.ErrNotRegular},
		"not there":             {filepath.Join(dir, "no"), 10, fs.ErrNotExist},
	} {
		data, err := readfile.Regular(c.path, c.max)
		if !errors.Is(err, c.want) || (c.want == nil && string(data) != "12345") {
			t.Errorf("%s: %q, %v, want %v", name, data, err, c.want)
		}
		if path := (*fs.PathError)(nil); err != nil && !errors.As(err, &path) {
			t.Errorf("%s: %v is not a *fs.PathError", name, err)
		}
	}
}

func TestBoundedEndsWithADevice(t *testing.T) {
	if _, err := readfile.Bounded("/dev/zero", 1<<20); !errors.Is(err, readfile.ErrTooLarge) {
		t.Errorf("err = %v", err)
	}
}
