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
	own  []byte // what the last piece was read into; nil while a read has not ended
}

// maxPiece is how many bytes are read at once at most.
const maxPiece = 256 << 10

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
	if len(p) == 0 {
		return 0, nil
	}
	data, err := f.piece(len(p))
	return copy(p, data), err
}

// WriteTo hands the file on in pieces that are worth their price.
func (f *File) WriteTo(w io.Writer) (written int64, err error) {
	for {
		data, err := f.piece(maxPiece)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(data)
		if written += int64(n); err != nil {
			return written, err
		}
	}
}

// piece reads up to so many bytes, which stand until the next call. They go into a
// separate buffer, no larger than the file, that nobody uses again if the context ends
// before the read does.
func (f *File) piece(most int) ([]byte, error) {
	size := min(most, maxPiece, max(int(min(f.size, maxPiece))+1, 512))
	own := f.own
	if f.own = nil; len(own) < size {
		own = make([]byte, size)
	}
	n, err := Within(f.ctx, f.path, func() (int, error) { return f.file.Read(own[:size]) })
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, err
	}
	if f.left -= int64(n); f.left < 0 {
		return nil, tooLarge(f.path, f.max)
	}
	f.own = own
	return own[:n], nil
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
