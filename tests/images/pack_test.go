package images_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const kernel = "6.1.0-18-cloud-amd64"

// pfring runs the command line in this process.
func pfring(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	out, errOut, err := pfring(t, args...)
	if err != nil {
		t.Fatalf("pfring %s: %v\n%s%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// save writes a module to a file and returns its path.
func save(t testing.TB, k moduletest.KO) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pf_ring.ko")
	if err := os.WriteFile(path, k.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// One command makes an image for both architectures; a real registry takes it,
// KMM's commands run in it, modprobe reads what they copy, and the agent's
// source finds the module.
func TestAnImageServesKMMAndTheAgent(t *testing.T) {
	host := distribution(t)
	modprobe := kmod(t, "modprobe")
	amd64, arm64 := moduletest.KO{Kernel: kernel, Padding: 1 << 20}, moduletest.KO{Kernel: kernel, Arch: "arm64"}
	out := mustRun(t, "module", "pack", save(t, amd64), save(t, arm64), "-o", host+"/kubeshark/pf-ring-module",
		"--busybox", deb(t, "busybox-static", "amd64"), "--busybox", deb(t, "busybox-static", "arm64"))
	ref, _, _ := strings.Cut(strings.TrimSpace(out), "@")
	if ref != host+"/kubeshark/pf-ring-module:"+kernel {
		t.Fatalf("printed %q", out)
	}
	for _, k := range []moduletest.KO{amd64, arm64} {
		arch := k.Arch
		if arch == "" {
			arch = "amd64"
		}
		image, err := crane.Pull(ref, crane.WithPlatform(&v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
		source, err := module.OpenSource(module.SourceOptions{URL: "oci://" + host + "/kubeshark/pf-ring-module"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := module.Get(t.Context(), source, module.Request{Kernel: kernel, Arch: arch, Verify: outcome.VerifiedNone})
		if err != nil || !bytes.Equal(got.Data, k.Bytes()) {
			t.Errorf("the agent's source, %s: %v", arch, err)
		}
		if arch == "amd64" {
			asKMM(t, image, modprobe)
		}
	}
}

// asKMM runs in the image what KMM's worker does, and modprobe on the result.
func asKMM(t *testing.T, image v1.Image, modprobe string) {
	root := t.TempDir()
	unpack(t, image, root)
	if os.Getuid() != 0 {
		t.Log("not root: the image's own shell is not run (chroot)")
		root = filepath.Join(root, "opt")
	} else {
		script := "mkdir -p /tmp/opt/lib/modules; cp -R /opt/lib/modules/" + kernel + " /tmp/opt/lib/modules"
		if out, err := exec.Command("chroot", root, "/bin/sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		root = filepath.Join(root, "tmp", "opt")
	}
	want := "insmod " + filepath.Join(root, "lib", "modules", kernel, "pf_ring.ko")
	for _, name := range []string{"pf_ring", "pf-ring", "net-pf-27"} {
		out, err := exec.Command(modprobe, "-d", root, "-S", kernel, "-n", "-v", name).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("modprobe %s: %v: %q, want %q", name, err, got, want)
		}
	}
}

// unpack exports an image's files with tar, as a runtime would have them.
func unpack(t *testing.T, image v1.Image, dir string) {
	t.Helper()
	cmd := exec.Command("tar", "-x", "-C", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := crane.Export(image, in); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestPackingTwiceGivesTheSameBytes(t *testing.T) {
	needArchive(t)
	dir := t.TempDir()
	busybox := deb(t, "busybox-static", "amd64")
	var digests []string
	for _, target := range []string{"oci:" + dir + "/a", "oci:" + dir + "/b"} {
		mustRun(t, "module", "pack", save(t, moduletest.KO{Kernel: kernel}), "-o", target, "--busybox", busybox)
		index, err := os.ReadFile(filepath.Join(strings.TrimPrefix(target, "oci:"), "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, string(index))
	}
	if digests[0] != digests[1] {
		t.Errorf("%s\n%s", digests[0], digests[1])
	}
	// And a layout is a base as well.
	mustRun(t, "module", "pack", save(t, moduletest.KO{Kernel: "6.1.0-19"}), "-o", "docker-archive:"+dir+"/c.tar", "--base", "oci:"+dir+"/a")
	names, err := exec.Command("tar", "-tf", dir+"/c.tar").Output()
	if err != nil || strings.Count(string(names), ".tar.gz") != 3 {
		t.Errorf("%s %v", names, err)
	}
}

func TestABaseWithoutAShellIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := save(t, moduletest.KO{Kernel: kernel})
	mustRun(t, "module", "pack", file, "-o", "oci:"+dir+"/bare", "--base", "scratch")
	_, _, err := pfring(t, "module", "pack", file, "-o", "oci:"+dir+"/x", "--base", "oci:"+dir+"/bare")
	if err == nil || !strings.Contains(err.Error(), "KMM's worker runs /bin/sh, mkdir and cp") {
		t.Error(err)
	}
	if _, err := os.Stat(dir + "/x"); err == nil {
		t.Error("something was written")
	}
}
