package readfile_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

func TestAFileBelowARootIsReadPieceByPiece(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("0123456789", 100_000)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := readfile.OpenIn(t.Context(), root, "file", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != text || f.Size() != 1_000_000 {
		t.Errorf("%d bytes of %d, %v", len(data), f.Size(), err)
	}
	for name, want := range map[string]error{"file": readfile.ErrTooLarge, "pipe": readfile.ErrNotRegular, "absent": os.ErrNotExist} {
		if _, err := readfile.OpenIn(t.Context(), root, name, 999_999); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestWhatHangsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs, entered := make(chan struct{}), make(chan struct{})
	go func() { <-entered; cancel() }()
	_, err := readfile.Within(ctx, "volume/index.json", func() (int, error) {
		close(entered)
		<-hangs
		return 0, nil
	})
	close(hangs)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "volume/index.json") {
		t.Error(err)
	}
}
