package node

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// maxKernelFile bounds, in bytes, what is read of /proc and /sys.
const maxKernelFile = 1 << 20

// Host is the machine below the agent, by the folders through which the kernel
// shows itself. Tests point them elsewhere.
type Host struct {
	// Proc and Sys are the agent's own /proc and /sys.
	Proc, Sys string
	// HostSys is where the host's /sys is mounted read-only: a container sees
	// no securityfs and no firmware variables of its own. It may be absent.
	HostSys string
	// HostProc is where the host's /proc is mounted read-only, for the network
	// namespaces of other pods; "" is the agent's own.
	HostProc string
	// Kernel makes the system calls.
	Kernel Kernel
}

// NewHost returns the real machine.
func NewHost(hostSys, hostProc string) *Host {
	return &Host{Proc: "/proc", Sys: "/sys", HostSys: hostSys, HostProc: hostProc, Kernel: Linux{}}
}

// Arch is the architecture in Go's names, such as amd64.
func (h *Host) Arch() string { return runtime.GOARCH }

// BootID identifies this boot of the machine; "" if it cannot be read.
func (h *Host) BootID() string { return h.line(h.Proc, "sys/kernel/random/boot_id") }

// line reads a file of one line, "" if there is none.
func (h *Host) line(parts ...string) string {
	data, err := readfile.Regular(filepath.Join(parts...), maxKernelFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// supportsModules tells whether the kernel can load modules at all: one built
// without CONFIG_MODULES has no /proc/modules.
func (h *Host) supportsModules() bool {
	_, err := os.Stat(filepath.Join(h.Proc, "modules"))
	return err == nil
}

// LoadedModule is a module as the running kernel has it.
type LoadedModule struct {
	// Version is MODULE_VERSION, "" if the module declares none.
	Version string
	// SrcVersion is the checksum of the sources that modpost made.
	SrcVersion string
	// Refs counts what uses the module: open rings, mostly.
	Refs int
	// Instance is the inode of /sys/module/NAME, which the kernel gives again with
	// each load; 0 if it cannot be read.
	Instance uint64
	// Live is false while the module is being loaded or unloaded.
	Live bool
}

// Loaded returns the module of that name, or nil.
func (h *Host) Loaded(name string) *LoadedModule {
	data, err := readfile.Regular(filepath.Join(h.Proc, "modules"), maxKernelFile)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		// name size refcount users state address
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != name {
			continue
		}
		refs, err := strconv.Atoi(f[2])
		if err != nil {
			refs = 0
		}
		return &LoadedModule{
			Version:    h.line(h.Sys, "module", name, "version"),
			SrcVersion: h.line(h.Sys, "module", name, "srcversion"),
			Instance:   inode(filepath.Join(h.Sys, "module", name)),
			Refs:       refs,
			Live:       f[4] == "Live",
		}
	}
	return nil
}

// missing are those of the modules that are neither loaded nor built in. A name
// has dashes in a file and underscores in the kernel.
func (h *Host) missing(modules []string) []string {
	var out []string
	for _, name := range modules {
		name = strings.ReplaceAll(name, "-", "_")
		if _, err := os.Stat(filepath.Join(h.Sys, "module", name)); err != nil && h.Loaded(name) == nil {
			out = append(out, name)
		}
	}
	return out
}

// usable tells whether PF_RING answers. Its proc file is there in every network
// namespace.
func (h *Host) usable(name string) bool {
	data, err := readfile.Regular(filepath.Join(h.Proc, "net", name, "info"), maxKernelFile)
	return err == nil && len(data) > 0
}
