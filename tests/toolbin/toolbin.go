// Package toolbin builds the programs that tests and benchmarks run beside
// pfring, from the pinned versions of the module in tests/tools, and keeps them
// between runs. It holds nothing that the product needs.
package toolbin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// CacheEnv names the environment variable that moves the cache.
const CacheEnv = "PFRING_TEST_CACHE"

// Packages of the programs in tests/tools.
const (
	Helm        = "helm.sh/helm/v3/cmd/helm"
	Kubeconform = "github.com/yannh/kubeconform/cmd/kubeconform"
)

// CacheDir is where built programs and what tests derive are kept:
// $PFRING_TEST_CACHE, else kubeshark-pfring in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder (set %s to name one): %w", CacheEnv, err)
	}
	return filepath.Join(dir, "kubeshark-pfring"), nil
}

// Root is the top folder of this repository, found from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "tests", "tools", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the repository: no folder above this one has tests/tools/go.mod")
		}
		dir = parent
	}
}

// Tool returns the path of a program of tests/tools, built now or by an
// earlier run with the same go.sum, Go version and platform.
func Tool(pkg string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	name, ldflags := filepath.Base(pkg), "-s -w"
	if pkg == Helm {
		// As its own releases are linked. Otherwise it takes the cluster to be
		// Kubernetes 1.20, which no chart of today admits.
		name += "-for-" + helmKubeMinor
		for _, p := range []string{"chartutil", "lint/rules"} {
			ldflags += " -X helm.sh/helm/v3/pkg/" + p + ".k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/" + p + ".k8sVersionMinor=" + helmKubeMinor
		}
	}
	return pinned(filepath.Join(root, "tests", "tools"), "tools-", pkg, name, ldflags)
}

// helmKubeMinor is the Kubernetes 1.x that helm takes the cluster to be when it
// is not told.
const helmKubeMinor = "36"

// pinned builds a program of a module once for each go.sum, Go version, platform
// and source of the module's own.
func pinned(module, prefix, pkg, name, ldflags string) (string, error) {
	sources, err := filepath.Glob(filepath.Join(module, "*.go"))
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", module, err)
	}
	key := sha256.New()
	for _, file := range append([]string{filepath.Join(module, "go.sum")}, sources...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading the pinned versions: %w", err)
		}
		key.Write(text)
	}
	key.Write([]byte(runtime.Version() + runtime.GOOS + runtime.GOARCH))
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, prefix+hex.EncodeToString(key.Sum(nil)[:8]))
	return cached(dir, name, func(out string) error { return build(module, pkg, out, ldflags) })
}

// Pfring builds cmd/pfring of this checkout into dir.
func Pfring(dir string) (string, error) { return ours(dir, "pfring") }

// Agent builds cmd/pfring-agent of this checkout into dir.
func Agent(dir string) (string, error) { return ours(dir, "pfring-agent") }

// Controller builds cmd/pfring-controller of this checkout into dir.
func Controller(dir string) (string, error) { return ours(dir, "pfring-controller") }

// ours links a program once for all packages of tests that want it: go build
// leaves alone what is up to date. Each gets a file of its own, so that nobody's
// goes when another test has changed the source.
func ours(dir, name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	checkout := sha256.Sum256([]byte(root))
	kept := filepath.Join(cache, "checkout-"+hex.EncodeToString(checkout[:8]), name)
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := lockedfile.MutexAt(kept + ".lock").Lock()
	if err != nil {
		return "", fmt.Errorf("locking the cache: %w", err)
	}
	defer unlock()
	if err := build(root, "./cmd/"+name, kept, "-s -w"); err != nil {
		return "", err
	}
	out := filepath.Join(dir, name)
	return out, copyFile(out, kept)
}

// copyFile copies a program.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("opening a program: %w", err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755) // #nosec G302 -- a program
	if err != nil {
		return fmt.Errorf("copying a program: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying a program: %w", err)
	}
	return nil
}

// cached makes dir/name once; other processes that want it wait.
func cached(dir, name string, build func(out string) error) (path string, err error) {
	path = filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return "", fmt.Errorf("locking the cache: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := build(path + ".new"); err != nil {
		return "", err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("putting %s into the cache: %w", name, err)
	}
	return path, nil
}

func build(module, pkg, out, ldflags string) error {
	cmd := exec.Command("go", "build", "-C", module, "-trimpath", "-ldflags", ldflags, "-o", out, pkg) // #nosec G204 -- arguments of our own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, text)
	}
	return nil
}
