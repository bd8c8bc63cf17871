package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Variant is how to build the stand-in module.
type Variant struct {
	// Version is MODULE_VERSION.
	Version string
	// Undefined makes it call a function that no kernel has.
	Undefined bool
	// Debug keeps the debug sections, which make the module as large as PF_RING.
	Debug bool
}

// Module returns the stand-in module for a kernel, built now or by an earlier run from the same source.
func Module(t testing.TB, k Kernel, v Variant) []byte {
	t.Helper()
	ko, err := buildModule(k, v)
	if err != nil {
		t.Fatalf("building the module for %s: %v", k.Release, err)
	}
	return ko
}

func buildModule(k Kernel, v Variant) ([]byte, error) {
	root, err := toolbin.Root()
	if err != nil {
		return nil, err
	}
	cache, err := toolbin.CacheDir()
	if err != nil {
		return nil, err
	}
	key := sha256.New()
	fmt.Fprintln(key, k.Release, v)
	sources := map[string][]byte{}
	for _, name := range []string{"Makefile", "pf_ring.c"} {
		text, err := os.ReadFile(filepath.Join(root, "tests", "vm", "testdata", "pf_ring", name))
		if err != nil {
			return nil, err
		}
		sources[name] = text
		key.Write(text)
	}
	dir := filepath.Join(cache, "vm-modules")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	kept := filepath.Join(dir, hex.EncodeToString(key.Sum(nil)[:8])+".ko")
	unlock, err := lockedfile.MutexAt(kept + ".lock").Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if ko, err := os.ReadFile(kept); err == nil {
		return ko, nil
	}
	if err := compile(k, v, sources, kept); err != nil {
		return nil, err
	}
	return os.ReadFile(kept)
}

// compile runs the kernel's own build in a folder of its own.
func compile(k Kernel, v Variant, sources map[string][]byte, out string) (err error) {
	dir, err := os.MkdirTemp("", "pfring-module")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	// BTF would take pahole; nothing here needs it.
	args := []string{"-s", "-C", k.Headers, "M=" + dir, "VERSION=" + v.Version, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"}
	tools := ""
	if k.Arch == "arm64" {
		tools = "aarch64-linux-gnu-"
		args = append(args, "ARCH=arm64", "CROSS_COMPILE="+tools)
	}
	if v.Undefined {
		args = append(args, "RING_FLAGS=-DRING_UNDEFINED", "KBUILD_MODPOST_WARN=1")
	}
	if _, err := run(exec.Command("make", args...)); err != nil {
		return err
	}
	ko := filepath.Join(dir, "pf_ring.ko")
	if !v.Debug {
		if _, err := run(exec.Command(tools+"strip", "--strip-debug", ko)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(ko)
	if err == nil {
		err = os.WriteFile(out+".new", text, 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(out+".new", out)
}

// Program builds a program of this repository, static and for the machine that
// runs the test.
func Program(t testing.TB, pkg string) []byte {
	t.Helper()
	return ProgramFor(t, runtime.GOARCH, pkg)
}

// ProgramFor is Program for an architecture.
func ProgramFor(t testing.TB, arch, pkg string) []byte {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-C", root, "-trimpath", "-tags", "netgo,osusergo,nethttpomithttp2", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if _, err := run(cmd); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
