// Package folder is a module repository in a folder, such as a mounted volume.
package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Source reads the files below a folder.
type Source struct{ root string }

// Open returns the repository at root, which may appear later.
func Open(root string) *Source { return &Source{root: filepath.FromSlash(root)} }

// String is the folder as a file URL.
func (s *Source) String() string { return "file://" + filepath.ToSlash(s.root) }

// Fetch reads the file at name below the folder. It stays below the folder even
// where symbolic links point out of it, unless they are the volume's own.
func (s *Source) Fetch(ctx context.Context, name string, max int64) (_ []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, s.failed(name, err)
	}
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return nil, s.failed(name, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, s.failed(name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, s.failed(name, errors.Join(err, errors.New("it is not a regular file")))
	}
	var data bytes.Buffer
	// As a whole, so that a module of some MB is not copied again and again.
	data.Grow(int(min(info.Size(), max)) + bytes.MinRead)
	if _, err := data.ReadFrom(io.LimitReader(f, max+1)); err != nil {
		return nil, s.failed(name, err)
	}
	if int64(data.Len()) > max {
		return nil, fault.TooLarge("reading "+name, s.where(name), fmt.Sprintf("it has more than %d bytes", max))
	}
	return data.Bytes(), nil
}

func (s *Source) where(name string) string {
	return filepath.Join(s.root, filepath.FromSlash(name))
}

func (s *Source) failed(name string, err error) error {
	what, where := "reading "+name, s.where(name)
	e := &fault.Error{Reason: outcome.SourceUnreachable, What: what, Where: where, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(s.root); statErr != nil {
			e.Why = "the folder " + s.root + " is not there"
			e.Do = "Check source.volume, and that source.url names a folder on it."
			return e
		}
		return fault.NotFound(what, where)
	case errors.Is(err, fs.ErrPermission):
		e.Reason = outcome.SourceForbidden
		e.Do = "Let the agent's user read the volume."
	case errors.Is(err, context.DeadlineExceeded):
		e.Reason = outcome.SourceTimeout
	default:
		e.Do = "Check source.volume and the node's log."
	}
	return e
}
