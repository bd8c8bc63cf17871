package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// Folder is a destination on disk.
type Folder struct{ dir string }

var _ Destination = (*Folder)(nil)

// NewFolder makes the folder if it is not there.
func NewFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the repository's folder: %w", err)
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the repository's folder: %w", err)
	}
	return &Folder{full}, nil
}

// String is the folder as source.url has it.
func (f *Folder) String() string { return "file://" + filepath.ToSlash(f.dir) }

// Sequential is false.
func (f *Folder) Sequential() bool { return false }

// Close does nothing: each file was put at once.
func (f *Folder) Close() error { return nil }

// Has reads the file that is there.
func (f *Folder) Has(_ context.Context, e module.Entry) (bool, error) {
	data, err := os.ReadFile(f.path(e.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return Fits(e, data) == nil, nil
}

// Put writes the file beside its place and moves it there.
func (f *Folder) Put(_ context.Context, e module.Entry, data []byte) error {
	return f.put(e.Path, data)
}

// Publish writes index and signature.
func (f *Folder) Publish(_ context.Context, _ []module.Entry, index, signature []byte) error {
	if signature == nil {
		// An old one would not fit the index.
		if err := os.Remove(f.path(module.SignatureName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if err := f.put(module.SignatureName, signature); err != nil {
		return err
	}
	return f.put(module.IndexName, index)
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *Folder) put(name string, data []byte) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
