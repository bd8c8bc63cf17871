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

// Pieces are as large as the file was when it was opened, and it may have grown since;
// what a reader asks for may be less than a piece.
func TestAFileThatGrowsIsReadToItsEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, read := range map[string]func(io.Writer, *readfile.File) error{
		"as it comes": func(w io.Writer, f *readfile.File) error { _, err := f.WriteTo(w); return err },
		"by a few bytes": func(w io.Writer, f *readfile.File) error {
			_, err := io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, 7))
			return err
		},
		"by larger pages": func(w io.Writer, f *readfile.File) error {
			_, err := io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, 1<<20))
			return err
		},
	} {
		if err := os.WriteFile(path, []byte("begin "), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := readfile.OpenIn(t.Context(), root, "file", 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		text := "begin " + strings.Repeat("0123456789", 50_000)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := read(struct{ io.Writer }{&got}, f); err != nil || got.String() != text {
			t.Errorf("%s: %d bytes, %v", name, got.Len(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
