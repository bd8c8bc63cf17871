// Package readfile reads files whose names come from a person or whose content
// another process may change: never more than a bound, and never waiting for a
// pipe or a device. It imports nothing of this project.
package readfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is in the chain of an error for what is not a file with content
// of its own, such as a pipe, a device or a folder.
var ErrNotRegular = errors.New("it is not a regular file")

// ErrTooLarge is in the chain of an error for a file that has more bytes than it
// may have.
var ErrTooLarge = errors.New("it is too large")

// Regular reads a regular file of at most max bytes. Its errors are
// *fs.PathError, as those of os.ReadFile.
func Regular(name string, max int64) (data []byte, err error) {
	// Without O_NONBLOCK opening a pipe waits for somebody who writes to it.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- the caller's own file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	return read(f, name, info.Size(), max)
}

// Bounded reads a file of any kind, such as standard input at /dev/stdin, up to
// max bytes. It may wait for a pipe.
func Bounded(name string, max int64) (data []byte, err error) {
	f, err := os.Open(name) // #nosec G304 -- the caller's own file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return read(f, name, 0, max)
}

func read(r io.Reader, name string, size, max int64) ([]byte, error) {
	if size > max {
		return nil, tooLarge(name, max)
	}
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err == nil && int64(len(data)) > max {
		return nil, tooLarge(name, max)
	}
	return data, err
}

func tooLarge(name string, max int64) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w: the limit is %d bytes", ErrTooLarge, max)}
}
