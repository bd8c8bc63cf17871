// Package folder is a module repository in a folder, such as a mounted volume.
package folder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
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
func (s *Source) Fetch(ctx context.Context, name string, max int64) ([]byte, error) {
	var data stream.Buffer
	if err := s.FetchTo(ctx, name, max, &data); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// FetchTo is Fetch that hands the file on as it is read. A volume that hangs is
// given up when ctx ends.
func (s *Source) FetchTo(ctx context.Context, name string, max int64, to stream.Sink) (err error) {
	if err := ctx.Err(); err != nil {
		return s.failed(ctx, name, err)
	}
	root, err := readfile.Within(ctx, s.root, func() (*os.Root, error) { return os.OpenRoot(s.root) })
	if err != nil {
		return s.failed(ctx, name, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	f, err := readfile.OpenIn(ctx, root, filepath.FromSlash(name), max)
	if err != nil {
		return s.failed(ctx, name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if buffer, ok := to.(*stream.Buffer); ok {
		// As a whole, so that a module of some MB is not copied again and again.
		buffer.Grow(f.Size() + 1)
	}
	if _, err := f.WriteTo(to); err != nil {
		return s.failed(ctx, name, err)
	}
	return nil
}

func (s *Source) where(name string) string {
	return filepath.Join(s.root, filepath.FromSlash(name))
}

func (s *Source) failed(ctx context.Context, name string, err error) error {
	what, where := "read "+name, s.where(name)
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err // where it is stands beside it
	}
	e := &fault.Error{Reason: outcome.SourceUnreachable, What: what, Where: where, Err: err}
	switch {
	case errors.Is(err, readfile.ErrTooLarge):
		return fault.TooLarge(what, where, err.Error())
	case errors.Is(err, readfile.ErrNotRegular):
		e.Reason = outcome.SourceInvalid
		e.Do = "Put a regular file there, not a named pipe, a device or a folder."
	case errors.Is(err, fs.ErrNotExist):
		_, rootErr := readfile.Within(ctx, s.root, func() (fs.FileInfo, error) { return os.Stat(s.root) })
		if rootErr != nil {
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
		e.Why = "the volume did not answer in time"
	case errors.Is(err, context.Canceled):
		e.Reason, e.Why, e.Do = outcome.SourceTimeout, "it was interrupted", "Try again."
	default:
		e.Do = "Check source.volume and the node's log."
	}
	return e
}
