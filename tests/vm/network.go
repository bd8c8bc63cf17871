package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// HostAddress is this machine as one with a network sees it: what listens on the
// loopback here answers there.
const HostAddress = "10.0.2.2"

// networkModules are what Debian's cloud kernels need for QEMU's network card,
// in the order of loading.
var networkModules = []string{
	"drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
	"drivers/virtio/virtio_pci", "net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net",
}

// nodeModules are what it takes besides to run from a disk and to run
// containers with a network.
var nodeModules = []string{
	"drivers/block/virtio_blk", "fs/overlayfs/overlay", "net/llc/llc", "net/802/stp", "net/bridge/bridge", "drivers/net/veth",
}

// addModules puts modules of the kernel where the machine's init loads them
// from, in that order.
func addModules(t testing.TB, k Kernel, files map[string][]byte, names []string) {
	t.Helper()
	builtIn, err := os.ReadFile(filepath.Join(k.Modules, "modules.builtin"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if strings.Contains(string(builtIn), "kernel/"+name+".ko\n") {
			continue
		}
		files[fmt.Sprintf("/modules/%02d.ko", n)] = kernelModule(t, k, name)
		n++
	}
}

// kernelModule returns one of the kernel's own modules, not compressed.
func kernelModule(t testing.TB, k Kernel, name string) []byte {
	t.Helper()
	path := filepath.Join(k.Modules, "kernel", filepath.FromSlash(name)+".ko")
	ko, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		var packed []byte
		if packed, err = os.ReadFile(path + ".xz"); err == nil {
			ko, _, err = module.Decompress(packed, 16<<20)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return ko
}
