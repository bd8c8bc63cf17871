package faults

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/node"
)

const release = "6.1.0-56-amd64"

// kernel stands in for the one that takes modules, and notes what it is given:
// tests/vm has the real one, where a fault cannot be distinguished from the network's own.
type kernel struct {
	node.Kernel
	root, proc, sys string

	mu   sync.Mutex
	sums []string
}

func newKernel(t *testing.T) *kernel {
	t.Helper()
	k := kernelIn(t.TempDir())
	k.write(t, filepath.Join(k.proc, "modules"), "ext4 1 0 - Live 0x0\n")
	k.write(t, filepath.Join(k.proc, "self", "status"), "CapEff:\t0000000000010000\nSeccomp:\t2\n")
	return k
}

// kernelIn is the one that newKernel has made in a folder.
func kernelIn(root string) *kernel {
	return &kernel{Kernel: node.Linux{}, root: root, proc: filepath.Join(root, "proc"), sys: filepath.Join(root, "sys")}
}

func (k *kernel) write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

func (k *kernel) host() *node.Host {
	return &node.Host{Proc: k.proc, Sys: k.sys, HostSys: k.sys, Kernel: k}
}

func (k *kernel) Release() (string, error) { return release, nil }

func (k *kernel) Listen() node.KernelLog { return silent{} }

func (k *kernel) KernelVersion() string { return "#1 SMP Debian" }

// silent is a log that may not be read.
type silent struct{}

func (silent) Lines() []string { return nil }
func (silent) Close()          {}

func (k *kernel) InitModule(image []byte, _ string) error {
	if len(image) == 0 {
		return unix.ENOEXEC
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sums = append(k.sums, digest(image))
	for path, text := range map[string]string{
		filepath.Join(k.proc, "modules"):                     "pf_ring 1032192 0 - Live 0x0\n",
		filepath.Join(k.sys, "module", "pf_ring", "version"): "8.9.0\n",
		filepath.Join(k.proc, "net", "pf_ring", "info"):      "PF_RING Version : 8.9.0\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return unix.EIO
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return unix.EIO
		}
	}
	return nil
}

// taken are the digests of the modules that were given to the kernel.
func (k *kernel) taken() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sums
}

func arch() string { return runtime.GOARCH }
