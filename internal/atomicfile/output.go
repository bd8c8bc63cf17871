package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Output begins to write a file that a person has named, at the place where a shell's
// redirection would write: a symbolic link is followed, a device or a pipe, such as
// /dev/stdout, is written to and not replaced, and a file that is there keeps its mode.
// It does not make folders.
func Output(name string) (*File, error) {
	to, direct, err := destination(name)
	if err != nil {
		return nil, failed(name, err)
	}
	if direct {
		file, err := os.OpenFile(to, os.O_WRONLY|os.O_APPEND, 0) // #nosec G304 -- the user's own file
		if err != nil {
			return nil, failed(name, err)
		}
		return &File{File: file, shown: name, direct: true, close: func() error { return nil }}, nil
	}
	f, err := Create(to)
	if e := (*Error)(nil); errors.As(err, &e) {
		return nil, failed(name, e.Err)
	}
	if err != nil {
		return nil, err
	}
	f.shown = name
	if info, err := os.Lstat(to); err == nil {
		f.keep = info.Mode().Perm()
	}
	return f, nil
}

// CheckOutput tells whether Output can write name, before the work is done whose result
// it is to hold. It leaves nothing behind.
func CheckOutput(name string) error {
	_, direct, err := destination(name)
	if err != nil {
		return failed(name, err)
	}
	if direct {
		return nil // opening a pipe waits until somebody reads it
	}
	f, err := Output(name)
	if err != nil {
		return err
	}
	return f.Discard()
}

// Resolve is the file that a name means after its links, for writers that do not go
// through Output.
func Resolve(name string) (string, error) {
	to, direct, err := destination(name)
	if err == nil && direct {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return "", failed(name, err)
	}
	return to, nil
}

// WriteOutput writes data to a file that a person has named, as Output does.
func WriteOutput(name string, data []byte, mode fs.FileMode) error {
	f, err := Output(name)
	if err != nil {
		return err
	}
	return f.replace(data, mode)
}

// mostLinks is how many links are followed from one to the next, as on Linux.
const mostLinks = 40

// destination follows the links of a name to the file that it means, which need not be
// there. It is direct where a file cannot take its place: a device, a pipe, or what
// another process has open.
func destination(name string) (to string, direct bool, err error) {
	for range mostLinks {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil && strings.HasPrefix(dir, "/proc/") {
			return name, true, nil // the links there are not names of files
		}
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name, false, nil
		case err != nil:
			return "", false, err
		case info.IsDir():
			return "", false, irregular(info.Mode())
		case info.Mode()&fs.ModeSymlink == 0:
			return name, !info.Mode().IsRegular(), nil
		}
		next, err := os.Readlink(name)
		if err != nil {
			return "", false, err
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(name), next)
		}
		name = next
	}
	return "", false, syscall.ELOOP
}
