// Package atomicfile replaces files at once: a reader sees the old or the new
// content, and after a crash of the machine one of both.
package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes data beside path and renames it to path. The folder must be
// there. What an earlier, killed Replace of the same path has left is removed;
// two at once are the caller's to keep apart, the loser gets an error.
func Replace(path string, data []byte, mode fs.FileMode) (err error) {
	dir, pattern := filepath.Dir(path), "."+filepath.Base(path)+".*.tmp"
	stale, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil {
		for _, name := range stale {
			// What cannot be removed is only in nobody's way.
			_ = os.Remove(name)
		}
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
