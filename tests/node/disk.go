package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// diskSize is what a disk may grow to; it takes what is written to it.
const diskSize = 2 << 30

// packages are the Debian packages that a node is made from.
var packages = []string{"busybox-static", "containerd", "runc", "containernetworking-plugins", "libc6", "libseccomp2"}

// programs are their files by the folder on the node.
var programs = map[string][]string{
	"bin":         {"bin/busybox", "usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr", "usr/sbin/runc"},
	"opt/cni/bin": {"usr/lib/cni/bridge", "usr/lib/cni/host-local", "usr/lib/cni/loopback"},
	"lib64":       {"lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
	"lib/x86_64-linux-gnu": {
		"lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libpthread.so.0", "lib/x86_64-linux-gnu/libdl.so.2",
		"lib/x86_64-linux-gnu/libresolv.so.2", "usr/lib/x86_64-linux-gnu/libseccomp.so.2",
	},
}

// links are what busybox is besides: what the kubelet runs, and what a test may
// want to.
var links = []string{"sh", "mount", "umount", "cat", "ls", "pidof", "sleep", "du"}

// makeDisk makes a disk's image with Debian's programs, kubelet, and files and
// programs of the project by path.
func makeDisk(t testing.TB, image string, files, own map[string][]byte) {
	t.Helper()
	kubelet, err := toolbin.Kubelet()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := fill(tree, vm.Packages(t, packages...), kubelet, files, own); err != nil {
		t.Fatalf("putting a node's files together: %v", err)
	}
	if err := makeFileSystem(image, tree); err != nil {
		t.Fatalf("making a node's disk: %v", err)
	}
}

func fill(tree, debian, kubelet string, files, own map[string][]byte) error {
	for folder, names := range programs {
		for _, name := range names {
			if err := place(filepath.Join(debian, name), filepath.Join(tree, folder, filepath.Base(name))); err != nil {
				return err
			}
		}
	}
	if err := place(kubelet, filepath.Join(tree, "bin", "kubelet")); err != nil {
		return err
	}
	if err := os.Symlink("bin", filepath.Join(tree, "sbin")); err != nil {
		return err
	}
	for _, name := range links {
		if err := os.Symlink("busybox", filepath.Join(tree, "bin", name)); err != nil {
			return err
		}
	}
	return errors.Join(write(tree, files, 0o644), write(tree, own, 0o755))
}

// write puts files into the tree.
func write(tree string, files map[string][]byte, mode os.FileMode) error {
	for name, data := range files {
		path := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, mode); err != nil {
			return err
		}
	}
	return nil
}

// place puts a program's file somewhere else, without a copy where it can.
func place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// makeFileSystem makes an image of a folder. Nothing is mounted for it.
func makeFileSystem(image, tree string) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := f.Truncate(diskSize); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	cmd := exec.Command(mkfs(), "-q", "-F", "-E", "root_owner=0:0,lazy_itable_init=1", "-d", tree, image)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w\n%s", cmd.Args, err, out)
	}
	return nil
}

// mkfs is the program, which is often not in the path of who is not root; "" if
// it is missing.
func mkfs() string {
	for _, name := range []string{"mkfs.ext4", "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
