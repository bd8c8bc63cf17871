package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// makefile makes the stand-in build as PF_RING does, by make in its folder.
const makefile = `ifneq ($(KERNELRELEASE),)
obj-m := pf_ring.o
ccflags-y := -DRING_VERSION='"8.9.0"'
else
all:
	$(MAKE) -C $(KERNEL_SRC) M=$(CURDIR) modules
endif
`

// sourceArchive is the stand-in for PF_RING's source, packed as its releases
// are, with its sha256.
func sourceArchive(t *testing.T) ([]byte, string) {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(filepath.Join(root, "tests", "vm", "testdata", "pf_ring", "pf_ring.c"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, f := range []struct{ name, text string }{
		{"PF_RING-8.9.0/README", "not compiled"}, {"PF_RING-8.9.0/kernel/Makefile", makefile}, {"PF_RING-8.9.0/kernel/pf_ring.c", string(code)},
	} {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes(), fmt.Sprintf("%x", sha256.Sum256(packed.Bytes()))
}

// The very script of the Jobs, in two bare Debians at once, gets compiler and
// headers from Debian's archive, compiles for two kernels, and those kernels
// load what comes back through the logs.
func TestWhatAJobBuildsIsLoadedByItsKernel(t *testing.T) {
	needDebian(t)
	archive, sum := sourceArchive(t)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) }))
	t.Cleanup(mirror.Close)
	namespace := cluster.Namespace(t, "")
	kernels := []vm.Kernel{vm.Get(t, vm.Stable), vm.Get(t, vm.Backports)}
	roots := make([]string, len(kernels))
	logs := make([]buffer, len(kernels))
	for i, k := range kernels {
		roots[i] = container(t)
		node(t, k.Release, runsIn(roots[i], filepath.Join(roots[i], "nothing"), &logs[i]))
	}
	dir := t.TempDir()
	args := []string{"module", "build", "--all", "--source-url", mirror.URL + "/PF_RING.tar.gz", "--source-sha256", sum, "-o", dir, "--host-headers=false", "--compress=false"}
	r := pfring(t.Context(), namespace, args...)
	if r.code != 0 {
		t.Fatalf("%s\n%s\n%s\n%s", r.out, r.errOut, logs[0].String(), logs[1].String())
	}
	nothingLeft(t, namespace)
	for _, k := range kernels {
		t.Run(k.Release, func(t *testing.T) {
			ko, err := os.ReadFile(filepath.Join(dir, "amd64", "pf-ring-"+k.Release+".ko"))
			if err != nil {
				t.Fatal(err)
			}
			loads(t, k, ko)
		})
	}
	t.Run("printed", func(t *testing.T) { printedBuilds(t, kernels[0], roots[0], mirror.URL, sum) })
	t.Run("headers of the node", func(t *testing.T) { headersOfTheNode(t, kernels[0], roots[0], mirror.URL, sum) })
	t.Run("another source", func(t *testing.T) {
		kubelets.behave(nodeName(kernels[0].Release), runsIn(container(t), "", &buffer{}))
		r := pfring(t.Context(), namespace, "module", "build", "--kernel", kernels[0].Release, "--source-url", mirror.URL, "-o", t.TempDir(), "--host-headers=false")
		r.want(t, 1, "the source is not the one expected: its kernel/ has the sum ")
	})
}

// loads boots the kernel and loads the module.
func loads(t *testing.T, k vm.Kernel, ko []byte) {
	t.Helper()
	m := vm.Boot(t, vm.Options{Kernel: k, Files: map[string][]byte{"/pf_ring.ko": ko}})
	if errno := m.Do(t, step.Request{Op: step.Insmod, Path: "/pf_ring.ko"}).Data; errno != "" {
		t.Fatalf("loading: %s\n%s", errno, m.Console())
	}
	if info := m.Do(t, step.Request{Op: step.Read, Path: "/proc/net/pf_ring/info"}).Data; !strings.Contains(info, "PF_RING Version          : 8.9.0") {
		t.Errorf("loaded, and says\n%s", info)
	}
}

// headersOfTheNode builds again in a fresh container, beside a node on which the
// headers are installed: they are used, and not fetched.
func headersOfTheNode(t *testing.T, k vm.Kernel, nodeRoot, mirror, sum string) {
	log := &buffer{}
	kubelets.behave(nodeName(k.Release), runsIn(container(t), filepath.Join(nodeRoot, "usr"), log))
	dir := t.TempDir()
	r := pfring(t.Context(), cluster.Namespace(t, ""), "module", "build", "--kernel", k.Release, "--source-url", mirror, "--source-sha256", sum, "-o", dir)
	if r.code != 0 || strings.Contains(log.String(), "Unpacking linux-headers-") {
		t.Fatalf("exit %d, or headers were fetched\n%s\n%s", r.code, r.errOut, log.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "amd64", "pf-ring-"+k.Release+".ko.zst")); err != nil {
		t.Error(err)
	}
}

// printedBuilds runs what --print gives to those who build elsewhere: the script
// as it is, and the Dockerfile's one command as a builder runs it.
func printedBuilds(t *testing.T, k vm.Kernel, root, mirror, sum string) {
	args := []string{"module", "build", "--os-image", debian12, "--source-url", mirror, "--source-sha256", sum, "--print"}
	script := pfring(t.Context(), "default", append(args, "script")...)
	script.want(t, 0, "#!/bin/sh")
	enterDebian(t, root, script.out, "KERNEL_FULL_VERSION="+k.Release, "PFRING_OUT=/made/pf_ring.ko")
	file := pfring(t.Context(), "default", append(args, "dockerfile")...)
	file.want(t, 0, "FROM ${BUILDER} AS build")
	run, arguments := dockerRun(t, file.out)
	enterDebian(t, root, run, append(arguments, "KERNEL_FULL_VERSION="+k.Release)...)
	for _, path := range []string{"made/pf_ring.ko", "out/lib/modules/" + k.Release + "/pf_ring.ko"} {
		ko, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := build.Check(ko, k.Release, "amd64"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	// As KMM's worker asks for it.
	if out := enterDebian(t, root, "modprobe -d /out -S "+k.Release+" --show-depends pf_ring"); !strings.Contains(out, "insmod /out/lib/modules/"+k.Release+"/pf_ring.ko") {
		t.Errorf("modprobe says %q", out)
	}
}

// dockerRun is the command of a Dockerfile's RUN, and its build arguments with
// their defaults.
func dockerRun(t *testing.T, file string) (string, []string) {
	t.Helper()
	var arguments []string
	for line := range strings.Lines(file) {
		if argument, ok := strings.CutPrefix(strings.TrimSpace(line), "ARG "); ok && strings.Contains(argument, "=") {
			arguments = append(arguments, argument)
		}
	}
	_, run, ok := strings.Cut(file, "\nRUN ")
	run, _, ok2 := strings.Cut(run, "\n\n")
	if !ok || !ok2 {
		t.Fatalf("no RUN in\n%s", file)
	}
	return strings.ReplaceAll(run, "\\\n", ""), arguments
}

// enterDebian runs a script in a Debian.
func enterDebian(t *testing.T, root, script string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", enter, "enter", root, "", "/bin/sh", "-c", script)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
