package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Kernel is a Debian kernel, unpacked in the cache.
type Kernel struct {
	// Release is what uname -r prints in it, Arch its architecture as Go names it.
	Release, Arch string
	// Image is the file to boot, Headers the folder to build modules against,
	// Modules the kernel's own modules.
	Image, Headers, Modules string
}

// Suite is a part of the Debian archive.
type Suite string

// The suites. Stable has the distribution's own kernel with its security
// updates, Backports a newer one. StableArm64 is Stable for another architecture:
// see NeedArm64.
const (
	Stable      Suite = "stable"
	Backports   Suite = "backports"
	StableArm64 Suite = "stable-arm64"
)

// program is one that this package runs, and the Debian package that has it.
type program struct{ program, debian string }

var programs = []program{
	{"qemu-system-x86_64", "qemu-system-x86"}, {"gcc", "gcc"}, {"make", "make"}, {"strip", "binutils"},
	{"apt-get", "apt"}, {"dpkg-deb", "dpkg"}, {"xz", "xz-utils"},
}

// programsArm64 are those for the other architecture.
var programsArm64 = []program{
	{"qemu-system-aarch64", "qemu-system-arm"}, {"aarch64-linux-gnu-gcc-12", "gcc-12-aarch64-linux-gnu"}, {"aarch64-linux-gnu-strip", "binutils-aarch64-linux-gnu"},
}

// Need skips a test on a machine that cannot boot kernels, with a line that says
// what to install. PFRING_TEST_REQUIRE_ALL=1 makes that a failure.
func Need(t testing.TB) {
	t.Helper()
	need(t, programs)
}

// NeedArm64 is Need for a machine of arm64.
func NeedArm64(t testing.TB) {
	t.Helper()
	need(t, slices.Concat(programs, programsArm64))
}

func need(t testing.TB, programs []program) {
	t.Helper()
	why := unable(programs)
	switch {
	case testing.Short():
		t.Skip("boots kernels in QEMU; run without -short")
	case why != "" && os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1":
		t.Fatal(why)
	case why != "":
		t.Skip(why)
	}
}

// unable says what is missing here, or "".
func unable(programs []program) string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "boots kernels for x86-64 that are built on the spot: needs Debian 12 on amd64"
	}
	system, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(system), "VERSION_CODENAME="+codename) {
		return "takes its kernels from the archive of Debian 12 (bookworm): run it there, such as in a container debian:12"
	}
	var packages []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.program); err != nil {
			packages = append(packages, p.debian)
		}
	}
	if len(packages) > 0 {
		return "needs Debian packages: run hack/install-test-deps.sh as root, or apt-get install " + strings.Join(packages, " ")
	}
	return ""
}

// Get returns the newest cloud kernel of a suite, downloaded now or by an
// earlier run. Removing vm-kernel-* from the cache takes newer ones.
func Get(t testing.TB, suite Suite) Kernel {
	t.Helper()
	k, err := get(suite)
	if err != nil {
		t.Fatalf("getting a kernel of Debian %s: %v", suite, err)
	}
	return k
}

func get(suite Suite) (_ Kernel, err error) {
	cache, err := toolbin.CacheDir()
	if err != nil {
		return Kernel{}, err
	}
	dir := filepath.Join(cache, "vm-kernel-"+codename+"-"+string(suite))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Kernel{}, err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	if k, err := unpacked(dir, suite); err == nil {
		return k, nil
	}
	if err := download(suite, dir); err != nil {
		return Kernel{}, errors.Join(err, os.RemoveAll(dir))
	}
	return unpacked(dir, suite)
}

// unpacked finds the kernel in a folder. The headers' Makefile is made to fit
// last, so a folder that was left half done is none.
func unpacked(dir string, suite Suite) (Kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return Kernel{}, fmt.Errorf("%s holds %d kernels: %w", dir, len(images), errors.Join(err, os.ErrNotExist))
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	k := Kernel{
		Release: release, Arch: suite.arch(), Image: images[0],
		Headers: filepath.Join(dir, "usr", "src", "linux-headers-"+release),
		Modules: filepath.Join(dir, "lib", "modules", release),
	}
	makefile, err := os.ReadFile(filepath.Join(k.Headers, "Makefile"))
	if err == nil && !strings.Contains(string(makefile), dir) {
		err = fmt.Errorf("%s: %w", k.Headers, os.ErrNotExist)
	}
	return k, err
}
