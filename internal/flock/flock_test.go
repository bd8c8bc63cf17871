package flock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/flock"
)

func TestDirHasOneHolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := flock.Dir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := flock.Dir(ended, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("a second holder got %v, want to be interrupted while it waits", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := flock.Dir(ended, dir)
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%s is left in the folder", left[0].Name())
	}
}

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var open [2]*os.File
	for i := range open {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		open[i] = f
	}
	if free, err := flock.Try(open[0]); err != nil || !free {
		t.Fatalf("the first: %v, %v", free, err)
	}
	if free, err := flock.Try(open[1]); err != nil || free {
		t.Errorf("the second: %v, %v, want false", free, err)
	}
}
