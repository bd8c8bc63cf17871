package vm_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// TestFromHeadersToLoadedOnASecureBootMachine is the whole way of a module that
// nobody had: built against a kernel's headers, signed with a key that the
// machine's firmware has enrolled, packed, pushed to a registry, found there by
// compatibility, then loaded by the agent over oci://, and by modprobe from the
// image as KMM's worker does it. The kernel takes signed modules only.
func TestFromHeadersToLoadedOnASecureBootMachine(t *testing.T) {
	r := newRig(t, vm.Stable)
	firmware := vm.GetFirmware(t)
	unsigned := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0", Debug: true})
	dir := t.TempDir()
	ko := filepath.Join(dir, "pf_ring.ko")
	write(t, ko, unsigned)
	pfring(t, "module", "sign-kernel", ko, "--key", firmware.Key, "--cert", firmware.Certificate)

	// One registry: without TLS for this machine, and with it for the other.
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	near := httptest.NewServer(store)
	t.Cleanup(near.Close)
	far, authority := serveTLS(t, store)
	host := near.Listener.Addr().String()
	said := pfring(t, "module", "pack", ko, "--output", host+"/team/pf-ring-module", "--busybox", vm.Busybox(t))
	image := host + "/team/pf-ring-module:" + r.kernel.Release
	if !strings.HasPrefix(said, image+"@sha256:") {
		t.Fatalf("pack printed %q", said)
	}
	said = pfring(t, "compatibility", "--kernel", r.kernel.Release, "--source", "oci://"+host+"/team/pf-ring-module",
		"--set", "tap.kernelModule.source.verify=none")
	if !strings.Contains(said, "Kernel is compatible") {
		t.Errorf("compatibility:\n%s", said)
	}

	r.unpackImage(t, image)
	addKmod(t, "modprobe", r.files)
	r.files["/ca.pem"], r.files["/unsigned.ko"] = authority, unsigned
	r.Machine = vm.Boot(t, vm.Options{Kernel: r.kernel, Files: r.files, Network: true, Firmware: firmware, Append: "module.sig_enforce=1"})

	t.Run("not signed", func(t *testing.T) {
		if errno := r.Do(t, step.Request{Op: step.Insmod, Path: "/unsigned.ko"}).Data; errno != "EKEYREJECTED" {
			t.Errorf("init_module of the unsigned module: %q", errno)
		}
	})
	t.Run("agent", func(t *testing.T) { r.loadFromImage(t, far.Listener.Addr().String()) })
	t.Run("kmm", r.loadAsKMM)
}

func (r *rig) loadFromImage(t *testing.T, host string) {
	defer r.remove(t, "pf_ring")
	url := "oci://" + reachable(host) + "/team/pf-ring-module"
	result := r.Do(t, step.Request{Op: step.Exec, Privilege: step.Module, Args: []string{
		agent, "load", "--node=vm", "--source-url=" + url, "--source-verify=none", "--source-ca-file=/ca.pem",
		"--state-file=" + stateFile, "--termination-log=/tmp/termination", "--host-sys=/host/sys",
	}})
	o := r.outcome(t, result)
	r.holds(t, result, o, outcome.Loaded, true)
	if o.Module.Version != "8.9.0" || o.Module.Source != url {
		t.Errorf("%s", pretty(o))
	}
}

// loadAsKMM runs in the image what KMM's worker runs in it, and then kmod's own
// modprobe on what that has copied; unloading is modprobe's too.
func (r *rig) loadAsKMM(t *testing.T) {
	run := func(args ...string) {
		t.Helper()
		if result := r.Do(t, step.Request{Op: step.Exec, Args: args}); result.Code != 0 {
			t.Fatalf("%q: code %d\n%s%s", args, result.Code, result.Stdout, result.Stderr)
		}
	}
	script := "mkdir -p /tmp/opt/lib/modules && cp -R /opt/lib/modules/" + r.kernel.Release + " /tmp/opt/lib/modules/" + r.kernel.Release
	run("/image/bin/busybox", "chroot", "/image", "/bin/sh", "-c", script)
	run("/sbin/modprobe", "-vd", "/image/tmp/opt", "pf_ring", "min_num_slots=8192")
	if live := r.loaded(t, "pf_ring"); live != "Live" {
		t.Errorf("/proc/modules has pf_ring %q", live)
	}
	if slots := r.Do(t, step.Request{Op: step.Read, Path: "/sys/module/pf_ring/parameters/min_num_slots"}).Data; strings.TrimSpace(slots) != "8192" {
		t.Errorf("min_num_slots is %q", slots)
	}
	run("/sbin/modprobe", "-rvd", "/image/tmp/opt", "pf_ring")
	if live := r.loaded(t, "pf_ring"); live != "" {
		t.Errorf("after modprobe -r /proc/modules has pf_ring %q", live)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pfring runs the command line in this process and returns what it prints.
func pfring(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("pfring %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errOut.String())
	}
	return out.String()
}

// unpackImage puts the files of an image below /image, links followed.
func (r *rig) unpackImage(t *testing.T, ref string) {
	t.Helper()
	image, err := crane.Pull(ref)
	if err != nil {
		t.Fatal(err)
	}
	pipe, into := io.Pipe()
	go func() { _ = into.CloseWithError(crane.Export(image, into)) }()
	links := map[string]string{}
	for files := tar.NewReader(pipe); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeReg:
			data, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			r.files["/image/"+h.Name] = data
		case tar.TypeSymlink:
			links["/image/"+h.Name] = path.Join("/image", path.Dir(h.Name), h.Linkname)
		}
	}
	for link, to := range links {
		r.files[link] = r.files[to]
	}
}

// addKmod puts a program of kmod into the machine's /sbin, with its libraries.
func addKmod(t testing.TB, name string, files map[string][]byte) {
	t.Helper()
	program := ""
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			program = found
			break
		}
	}
	if program == "" && os.Getenv("PFRING_TEST_REQUIRE_ALL") != "1" {
		t.Skip("needs " + name + ": apt-get install kmod")
	}
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	from := map[string]string{"/sbin/" + name: program}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			from[word] = word
		}
	}
	for to, file := range from {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[to] = data
	}
}
