//go:build unix

package flock

import (
	"errors"
	"os"
	"syscall"
)

// openDir opens the folder itself: it can be locked like a file, and nothing is
// left in it.
func openDir(dir string) (*os.File, error) { return os.Open(dir) } // #nosec G304 -- the caller's own folder

func try(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS),
			errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EBADF), errors.Is(err, syscall.EINVAL):
			// Some network file systems have no locks, or none for what is open to
			// read only.
			return true, nil
		default:
			return false, err
		}
	}
}
