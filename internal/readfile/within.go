package readfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Read is Regular that comes back when its context ends, also from a network
// volume that hangs.
func Read(ctx context.Context, path string, max int64) ([]byte, error) {
	return Within(ctx, path, func() ([]byte, error) { return Regular(path, max) })
}

// Within returns what f does, or the context's error when that ends first: f
// then goes on by itself until the system lets go of it. Its errors are
// *fs.PathError, with path where f does not name another.
func Within[T any](ctx context.Context, path string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-ctx.Done():
		got.err = ctx.Err()
	}
	var named *fs.PathError
	if got.err != nil && !errors.As(got.err, &named) {
		got.err = &fs.PathError{Op: "read", Path: path, Err: got.err}
	}
	return got.value, got.err
}

// File is a regular file that is read piece by piece.
type File struct {
	ctx  context.Context // it bounds Read, whose form is io.Reader's
	path string
	file *os.File
	size int64
	left int64
	max  int64
}

// OpenIn opens the file at name below root for reading piece by piece, no more
// than max bytes in all. It fails as Read does.
func OpenIn(ctx context.Context, root *os.Root, name string, max int64) (*File, error) {
	return Within(ctx, name, func() (*File, error) {
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		switch {
		case err != nil:
		case !info.Mode().IsRegular():
			err = &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
		case info.Size() > max:
			err = tooLarge(name, max)
		default:
			return &File{ctx: ctx, path: name, file: f, size: info.Size(), left: max, max: max}, nil
		}
		return nil, errors.Join(err, f.Close())
	})
}

// Read reads as io.Reader has it, and fails with the context's error when that
// ends.
func (f *File) Read(p []byte) (int, error) {
	// Into a buffer of its own: p is the caller's again when the context ends.
	data, err := Within(f.ctx, f.path, func() ([]byte, error) {
		own := make([]byte, min(len(p), 256<<10))
		n, err := f.file.Read(own)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return own[:n], err
	})
	if err != nil {
		return 0, err
	}
	if f.left -= int64(len(data)); f.left < 0 {
		return 0, tooLarge(f.path, f.max)
	}
	if len(data) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return copy(p, data), nil
}

// WriteTo hands the file on in pieces that are worth their price.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, make([]byte, 256<<10))
}

// Size is how many bytes the file had when it was opened.
func (f *File) Size() int64 { return f.size }

// Close closes the file. It does not wait for a read that hangs.
func (f *File) Close() error { return f.file.Close() }

// Cause is why a file could not be read, without its name, for a message that
// says the name itself.
func Cause(err error) error {
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		return named.Err
	}
	if named := (*os.LinkError)(nil); errors.As(err, &named) {
		return named.Err
	}
	return err
}
