package node_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// TestTheClusterCompiles has the controller's Job compile by Debian's recipe, on
// the emulated node, with Debian's compiler and headers: the stand-in, or PF_RING
// itself from PFRING_TEST_SOURCE.
func TestTheClusterCompiles(t *testing.T) {
	if os.Getenv(supplyEnv) == "" {
		t.Skip("compiles on an emulated node, for minutes: make e2e-supply")
	}
	if os.Getenv(sourceEnv) == "" {
		t.Logf("compiles the stand-in: %s=DIR, the kernel/ folder of PF_RING's source, has it compile PF_RING", sourceEnv)
	}
	b, w := newSuppliedBed(t)
	kernel := vm.Get(t, vm.Stable)
	b.pushCompiler(t, kernel)
	b.writeBuilder(t, w, "compiler:1", "nodeSelector: {}")
	n := startSupplied(t, b, kernel)
	steps := b.watchSupply(t)
	if err := b.install(t.Context(), "install"); err != nil {
		t.Fatal(err)
	}
	got := b.isSupplied(t, n)
	poll(t, "the API to show that it is loaded", func() bool { return !steps.seen(momentLoaded).IsZero() })
	if info := n.Read(t, "/proc/net/pf_ring/info"); !strings.Contains(info, got.Version) {
		t.Errorf("/proc/net/pf_ring/info says:\n%s", info)
	} else {
		t.Logf("/proc/net/pf_ring/info:\n%s", info)
	}
	bare, compiled := compilesHere(t, kernel), steps.between(momentPackages, momentCompiled)
	t.Logf("from helm install to PF_RING on the node, the build's compile taking %.1f s there and %.1f s of this machine's processor:\n%s", compiled.Seconds(), bare.Seconds(), steps.table(compiled))
	t.Logf("pfring status:\n%s", b.onCluster(t, "status").out)
}

// compilers are the Debian packages of an image that compiles modules without
// getting anything but the source: what the recipe would install, and what that
// is linked with.
var compilers = []string{
	"dash", "tar", "gzip", "make", "gcc-12", "cpp-12", "libgcc-12-dev", "binutils", "binutils-x86-64-linux-gnu", "curl",
	"libacl1", "libselinux1", "libpcre2-8-0", "libbinutils", "libctf0", "libctf-nobfd0", "libjansson4", "libgcc-s1", "libgmp10", "libmpfr6", "libmpc3", "libisl23",
	"libzstd1", "zlib1g", "libelf1", "libc6",
	"libcurl4", "libnghttp2-14", "libidn2-0", "librtmp1", "libssh2-1", "libpsl5", "libssl3", "libgssapi-krb5-2", "libldap-2.5-0", "libbrotli1", "libunistring2",
	"libgnutls30", "libhogweed6", "libnettle8", "libkrb5-3", "libk5crypto3", "libcom-err2", "libkrb5support0", "libsasl2-2", "libp11-kit0", "libtasn1-6", "libkeyutils1", "libffi8",
}

// unnecessary are parts of paths of files that no compile of a module reads; without
// them the emulated node has half as much to unpack.
var needless = []string{
	"usr/share/", "/gconv/", "/lto1", "lto-dump", "lto-wrapper", "ld.gold", "-dwp", "gcov", ".a", "/libstdc++", "/plugin/", "usr/include/",
	"/include/dt-bindings/", "/include/drm/", "/include/sound/", "/include/media/",
}

// pushCompiler pushes an image with Debian's compiler and a kernel's headers.
func (b *bed) pushCompiler(t *testing.T, k vm.Kernel) {
	t.Helper()
	// dash runs programs by their path, as Debian's shell does, and not busybox's
	// own that are called the same.
	files := append(busyboxFiles(t, "awk", "cmp", "date", "echo", "env", "expr", "false", "head", "ln", "pwd", "readlink", "realpath", "stat", "tail", "test", "touch", "true", "uname", "uniq", "which", "xargs"),
		layer.File{Name: "tmp/.keep", Mode: 0o644}, layer.File{Name: "bin/sh", Link: "dash"}, layer.File{Name: "usr/bin/gcc", Link: "gcc-12"})
	files = append(files, tree(t, vm.Packages(t, compilers...), "", func(string) bool { return true })...)
	top := strings.TrimSuffix(k.Headers, "/usr/src/linux-headers-"+k.Release)
	own := func(name string) bool {
		_, arch, found := strings.Cut(name, "-common/arch/")
		return !found || strings.HasPrefix(arch, "x86")
	}
	for _, dir := range []string{"usr/src", "usr/lib"} {
		for _, f := range tree(t, filepath.Join(top, dir), dir+"/", own) {
			// Here the headers lie elsewhere than where they would be installed.
			if filepath.Base(f.Name) == "Makefile" {
				f.Data = []byte(strings.ReplaceAll(string(f.Data), top+"/usr/src/", "/usr/src/"))
			}
			files = append(files, f)
		}
	}
	b.registry.Push(t, "compiler:1", files, "/bin/sh")
}

// tree are the files below a folder, but for unnecessary ones, with a prefix before
// their names.
func tree(t *testing.T, dir, prefix string, wanted func(name string) bool) []layer.File {
	t.Helper()
	var files []layer.File
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f := layer.File{Name: prefix + filepath.ToSlash(name), Mode: 0o644}
		for _, part := range needless {
			if strings.Contains(f.Name, part) && (part != ".a" || strings.HasSuffix(f.Name, part)) {
				return nil
			}
		}
		if !wanted(f.Name) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f.Mode = int64(info.Mode().Perm())
		if info.Mode()&os.ModeSymlink != 0 {
			f.Link, err = os.Readlink(path)
		} else {
			f.Data, err = os.ReadFile(path)
		}
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// compilesHere is how much of a processor's time the same compile takes on this
// machine, by its own compiler.
func compilesHere(t *testing.T, k vm.Kernel) time.Duration {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "source.tar.gz")
	if err := os.WriteFile(source, sourceArchive(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"tar", "-xf", source, "-C", dir, "--strip-components=1"},
		{"make", "-C", filepath.Join(dir, "kernel"), "KERNEL_SRC=" + k.Headers, "BUILD_KERNEL=" + k.Release, "CONFIG_DEBUG_INFO_BTF_MODULES="},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		if args[0] == "make" {
			ko, err := os.ReadFile(filepath.Join(dir, "kernel", "pf_ring.ko"))
			if err == nil {
				_, err = build.Check(ko, k.Release, "amd64")
			}
			if err != nil {
				t.Fatal(err)
			}
			return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
	}
	return 0
}
