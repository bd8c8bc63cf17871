//go:build !unix

package flock

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// openDir opens a file in the folder, since a folder cannot be locked.
func openDir(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, ".pfring.lock"), os.O_CREATE|os.O_RDWR, 0o600)
}

func try(f *os.File) (bool, error) {
	const exclusiveNow = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), exclusiveNow, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
