// Package atomicfile replaces files at once: a reader sees the old or the new
// content, and after a crash of the machine one of both. What a killed process
// has left is removed by the next one that writes. It is the one writer of files
// that others rely on, and imports nothing of this project but package flock.
package atomicfile

import (
	"cmp"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/kubeshark/kubeshark-pfring/internal/flock"
)

// Replace writes data beside path and renames it to path. The folder must be
// there. Of two at once the last one wins.
func Replace(path string, data []byte, mode fs.FileMode) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	return f.replace(data, mode)
}

// ReplaceIn is Replace for a file below root, which no symbolic link leads out
// of. name has slashes; folders that are missing are made.
func ReplaceIn(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return failed(name, err)
	}
	f, err := create(root, name)
	if err != nil {
		return err
	}
	return f.replace(data, mode)
}

// File is a file that takes its place when it is whole.
type File struct {
	*os.File
	root       *os.Root
	close      func() error // of a root that is the file's own
	name, temp string
	shown      string      // the name in messages
	direct     bool        // the file itself is written, see Output
	keep       fs.FileMode // of a file that a person has named; 0 is none
}

// failed says which file could not be written and why; the temporary file and the
// system call are nothing to the reader.
func failed(name string, err error) error {
	if call := (*fs.PathError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	if call := (*os.LinkError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return &Error{name, err}
}

// Error is a file that could not be written, and why.
type Error struct {
	Name string
	Err  error
}

func (e *Error) Error() string { return "cannot write " + e.Name + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Create begins to write a file beside path. End it with Commit or Discard.
func Create(name string) (*File, error) {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, failed(name, err)
	}
	f, err := create(root, filepath.Base(name))
	if err != nil {
		return nil, errors.Join(failed(name, errors.Unwrap(err)), root.Close())
	}
	f.close, f.shown = root.Close, name
	return f, nil
}

func create(root *os.Root, name string) (*File, error) {
	if info, err := root.Lstat(name); err == nil && !replaceable(info.Mode()) {
		return nil, failed(name, irregular(info.Mode()))
	}
	clean(root, name)
	f := &File{root: root, name: name, shown: name, close: func() error { return nil }}
	var err error
	for range 100 {
		f.temp = path.Join(path.Dir(name), temporary(path.Base(name), rand.Uint32())) //nolint:gosec // it has to be rare, not secret
		f.File, err = root.OpenFile(f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil && f.hold() {
			return f, nil
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return nil, failed(name, err)
}

// replaceable tells whether a file may take the place of one of this mode.
func replaceable(m fs.FileMode) bool { return m.IsRegular() || m&fs.ModeSymlink != 0 }

// irregular is why it may not.
func irregular(m fs.FileMode) error {
	if m.IsDir() {
		return syscall.EISDIR
	}
	return errors.New("not a regular file")
}

// hold locks the file as long as it is open: by that others see that it is not
// left over. It returns false when one of them was faster, and has removed it.
func (f *File) hold() bool {
	held, err := flock.Try(f.File)
	if err == nil && held {
		_, err = f.root.Lstat(f.temp)
	}
	if err != nil || !held {
		_ = f.Close() // the error that is returned says more
		_ = f.root.Remove(f.temp)
		return false
	}
	return true
}

func (f *File) replace(data []byte, mode fs.FileMode) error {
	if _, err := f.Write(data); err != nil {
		return errors.Join(failed(f.shown, err), f.Discard())
	}
	return f.Commit(mode)
}

// Commit puts the file in its place, for good: it is on the disk when Commit
// returns. After an error the old file stands.
func (f *File) Commit(mode fs.FileMode) error { return f.CommitAs(path.Base(f.name), mode) }

// CommitAs is Commit under another name in the same folder.
func (f *File) CommitAs(base string, mode fs.FileMode) error {
	if f.direct {
		if err := f.Close(); err != nil {
			return failed(f.shown, err)
		}
		return nil
	}
	err := f.Chmod(cmp.Or(f.keep, mode))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = f.root.Rename(f.temp, path.Join(path.Dir(f.name), base))
	}
	if err != nil {
		return errors.Join(failed(f.shown, err), f.discard())
	}
	// A folder that cannot be synchronized, as on some systems, is not a failure: the
	// file is whole.
	if dir, e := f.root.Open(path.Dir(f.name)); e == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return f.close()
}

// Discard gives up what was written.
func (f *File) Discard() error { return errors.Join(f.Close(), f.discard()) }

func (f *File) discard() error {
	if f.direct {
		return nil
	}
	return errors.Join(f.root.Remove(f.temp), f.close())
}

func temporary(base string, number uint32) string {
	return "." + base + "." + strconv.FormatUint(uint64(number), 10) + ".tmp"
}

// target is the file that a temporary one of this name was to become.
func target(temp string) (base string, ok bool) {
	rest, ok := strings.CutSuffix(temp, ".tmp")
	at := strings.LastIndexByte(rest, '.')
	if !ok || at < 2 || rest[0] != '.' {
		return "", false
	}
	_, err := strconv.ParseUint(rest[at+1:], 10, 64)
	return rest[1:at], err == nil
}

// clean removes what killed writers of name have left.
func clean(root *os.Root, name string) {
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return // creating a file there says why
	}
	names, _ := dir.Readdirnames(-1)
	_ = dir.Close()
	for _, n := range names {
		if base, ok := target(n); ok && base == path.Base(name) {
			removeDead(root, path.Join(path.Dir(name), n))
		}
	}
}

// Clean removes what killed writers have left anywhere below root.
func Clean(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, ok := target(d.Name()); ok && d.Type().IsRegular() {
			removeDead(root, name)
		}
		return nil
	})
}

// removeDead removes a temporary file whose writer is gone: a living one holds a
// lock on it. What cannot be removed is only in nobody's way.
func removeDead(root *os.Root, name string) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return
	}
	f, err := root.Open(name)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if dead, err := flock.Try(f); err == nil && dead {
		_ = root.Remove(name)
	}
}
