package vm_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// Flags of finit_module.
const (
	plain      = 0
	inCompress = 4 // MODULE_INIT_COMPRESSED_FILE
	unknown    = 1 << 7
)

// call is what the kernel says to a system call that the agent does not make, or
// never sees fail. They are why it decompresses by itself, hands over a buffer
// and not a file, and asks what is loaded before it looks at an errno.
type call struct {
	name    string
	loaded  bool // a pf_ring is there
	request step.Request
	errno   string
}

func kernelCalls(t *testing.T, r *rig) []call {
	t.Helper()
	good := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	r.files["/calls/good.ko"], r.files["/calls/good.ko.xz"] = good, packed(t, good)
	r.files["/calls/empty.ko"], r.files["/calls/half.ko"] = []byte{}, good[:len(good)/2]
	finit := func(path string, flags int) step.Request {
		return step.Request{Op: step.Finit, Path: path, Number: flags}
	}
	insmod := func(path string) step.Request { return step.Request{Op: step.Insmod, Path: path} }
	inKernel := "0"
	if r.kernel.Release == vm.Get(t, vm.Stable).Release {
		inKernel = "ENOTSUP" // another name of EOPNOTSUPP
	}
	return []call{
		{"a file as it is", false, finit("/calls/good.ko", plain), "0"},
		{"compressed without the flag", false, finit("/calls/good.ko.xz", plain), "ENOEXEC"},
		{"decompressed by the kernel", false, finit("/calls/good.ko.xz", inCompress), inKernel},
		{"an empty file", false, finit("/calls/empty.ko", plain), "EINVAL"},
		{"a folder", false, finit("/calls", plain), "EINVAL"},
		{"an unknown flag", false, finit("/calls/good.ko", unknown), "EINVAL"},
		{"a file that is open for writing", false, step.Request{Op: step.FinitBusy, Path: "/calls/good.ko"}, "ETXTBSY"},
		{"unloading what is not loaded", false, step.Request{Op: step.Rmmod, Path: "pf_ring"}, "ENOENT"},
		{"the same again", true, insmod("/calls/good.ko"), "EEXIST"},
		{"a broken one beside it", true, insmod("/calls/half.ko"), "ENOEXEC"},
		{"one with other flags beside it", true, insmod("/modules/vermagic-flags-differ.ko"), "ENOEXEC"},
	}
}

// packed is a module as a distribution packs it: the kernel's own decoder takes
// no other checksum.
func packed(t *testing.T, ko []byte) []byte {
	t.Helper()
	cmd := exec.Command("xz", "--check=crc32", "--lzma2=dict=1MiB", "--stdout")
	cmd.Stdin = bytes.NewReader(ko)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c call) check(t *testing.T, r *rig) {
	t.Run("system call/"+c.name, func(t *testing.T) {
		defer r.remove(t, "pf_ring")
		if c.loaded {
			r.insmod(t, "/calls/good.ko", "")
		}
		got := r.Do(t, c.request).Data
		if got == "" {
			got = "0"
		}
		if got != c.errno {
			t.Errorf("%s, want %s", got, c.errno)
		}
		if live := r.loaded(t, "pf_ring") == "Live"; live != (c.loaded || c.errno == "0") {
			t.Errorf("the module is there: %v", live)
		}
	})
}
