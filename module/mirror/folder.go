package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/flock"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Folder is a destination on disk. Nothing is read or written outside of it,
// whatever symbolic links there are in it.
type Folder struct {
	dir    string
	root   *os.Root
	unlock func() error
}

var _ Destination = (*Folder)(nil)

// NewFolder makes the folder if it is not there, and locks it: of two processes
// that write to one, the second waits for the first. What a killed one has left
// is removed. Close it.
func NewFolder(ctx context.Context, dir string) (f *Folder, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create folder %s: %w", dir, readfile.Cause(err))
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot find the repository's folder: %w", err)
	}
	root, err := os.OpenRoot(full)
	if err != nil {
		return nil, fmt.Errorf("cannot open the repository's folder: %w", err)
	}
	unlock, err := flock.Dir(ctx, full)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	f = &Folder{full, root, unlock}
	if err := atomicfile.Clean(root); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the repository's folder: %w", err), f.Close())
	}
	return f, nil
}

// String is the folder as source.url has it.
func (f *Folder) String() string { return "file://" + filepath.ToSlash(f.dir) }

// Sequential is false.
func (f *Folder) Sequential() bool { return false }

// Close unlocks the folder. Each file was put at once.
func (f *Folder) Close() error { return errors.Join(f.root.Close(), f.unlock()) }

// Has reads the file that is there.
func (f *Folder) Has(ctx context.Context, e module.Entry) (bool, error) {
	_, err := f.Open(ctx, e)
	if errors.Is(err, module.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Open returns the file of e. What is not a file with its size and digest, such
// as a pipe, is not the module: the error has module.ErrNotFound in its chain.
func (f *Folder) Open(_ context.Context, e module.Entry) (data []byte, err error) {
	info, err := f.root.Lstat(e.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s holds no %s: %w", f, e.Path, module.ErrNotFound)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() != e.Size:
		return nil, fmt.Errorf("%s of %s is not the module: %w", e.Path, f, module.ErrNotFound)
	}
	file, err := f.root.Open(e.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if data, err = io.ReadAll(io.LimitReader(file, e.Size+1)); err != nil {
		return nil, err
	}
	if bad := Fits(e, data); bad != nil {
		return nil, fmt.Errorf("%s of %s is not the module (%w): %w", e.Path, f, bad, module.ErrNotFound)
	}
	return data, nil
}

// Remove deletes the file of e, if it is there.
func (f *Folder) Remove(_ context.Context, e module.Entry) error {
	if err := f.root.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Put writes the file beside its place and moves it there.
func (f *Folder) Put(_ context.Context, e module.Entry, data []byte) error {
	return f.put(e.Path, data)
}

// Publish writes index and signature.
func (f *Folder) Publish(_ context.Context, _ []module.Entry, index, signature []byte) error {
	if signature == nil {
		// An old one would not fit the index.
		if err := f.root.Remove(module.SignatureName); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if err := f.put(module.SignatureName, signature); err != nil {
		return err
	}
	return f.put(module.IndexName, index)
}

func (f *Folder) put(name string, data []byte) error {
	return atomicfile.ReplaceIn(f.root, name, data, 0o644)
}
