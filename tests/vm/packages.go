package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Packages returns a folder with packages of Debian stable unpacked into it,
// without those that they depend on: downloaded now or by an earlier run, never
// installed.
func Packages(t testing.TB, names ...string) string {
	t.Helper()
	dir, err := packages(names)
	if err != nil {
		t.Fatalf("getting %s of Debian %s: %v", strings.Join(names, " "), codename, err)
	}
	return dir
}

func packages(names []string) (string, error) {
	cache, err := toolbin.CacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(strings.Join(names, " ")))
	dir := filepath.Join(cache, "vm-packages-"+codename+"-"+hex.EncodeToString(key[:8]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unfinished := dir + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	state := filepath.Join(unfinished, "apt")
	a, err := newApt(Stable, state)
	if err == nil {
		err = a.unpack(state, unfinished, names)
	}
	if err == nil {
		err = os.Rename(unfinished, dir)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(unfinished))
	}
	return dir, nil
}
