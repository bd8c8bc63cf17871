package vm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Busybox returns Debian's package busybox-static, downloaded now or by an
// earlier run.
func Busybox(t testing.TB) string {
	t.Helper()
	path, err := busybox()
	if err != nil {
		t.Fatalf("getting busybox-static: %v", err)
	}
	return path
}

func busybox() (string, error) {
	cache, err := toolbin.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "vm-busybox-"+codename)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	find := func() (string, error) {
		debs, err := filepath.Glob(filepath.Join(dir, "busybox-static_*.deb"))
		if err == nil && len(debs) == 0 {
			err = os.ErrNotExist
		}
		if err != nil {
			return "", err
		}
		return debs[0], nil
	}
	if path, err := find(); err == nil {
		return path, nil
	}
	a, err := newApt(Stable, filepath.Join(dir, "apt"))
	if err != nil {
		return "", err
	}
	if _, err := a.run(dir, "apt-get", "download", "busybox-static"); err != nil {
		return "", err
	}
	return find()
}
