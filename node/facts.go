package node

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// capSysModule is CAP_SYS_MODULE's bit, from linux/capability.h.
const capSysModule = 16

// facts are what decides whether a kernel takes a module.
type facts struct {
	supportsModules bool
	// capSysModule is whether the process has the capability in effect.
	capSysModule bool
	// seccomp is whether a filter is in place.
	seccomp bool
	// modulesDisabled is the sysctl kernel.modules_disabled.
	modulesDisabled bool
	// lockdown is none, integrity or confidentiality; unknown if the host's
	// /sys is not there.
	lockdown string
	// sigEnforce, secureBoot and seLinux are yes, no or unknown.
	sigEnforce, secureBoot, seLinux string
}

const unknown = "unknown"

// facts reads them all; nothing that cannot be read counts as off.
func (h *Host) facts() facts {
	status := h.statusFields()
	capEff, err := strconv.ParseUint(status["CapEff"], 16, 64)
	return facts{
		supportsModules: h.supportsModules(),
		capSysModule:    err == nil && capEff&(1<<capSysModule) != 0,
		seccomp:         status["Seccomp"] == "2",
		modulesDisabled: h.modulesDisabled(),
		lockdown:        h.lockdown(),
		sigEnforce:      h.sigEnforce(),
		secureBoot:      h.secureBoot(),
		seLinux:         h.seLinux(),
	}
}

func (h *Host) modulesDisabled() bool { return h.line(h.Proc, "sys/kernel/modules_disabled") == "1" }

// statusFields reads /proc/self/status.
func (h *Host) statusFields() map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(h.line(h.Proc, "self/status")) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			fields[key] = strings.TrimSpace(value)
		}
	}
	return fields
}

// sigEnforce reads the parameter of that name, which is there in every kernel
// that knows signatures of modules.
func (h *Host) sigEnforce() string {
	if v := yesNo(h.line(h.Sys, "module/module/parameters/sig_enforce")); v != unknown {
		return v
	}
	_, lacks := os.Stat(filepath.Join(h.Sys, "module/module/parameters/sig_enforce"))
	// /sys/module lists what is built in too, so it is empty only where it is hidden.
	if some, err := os.ReadDir(filepath.Join(h.Sys, "module")); err == nil && len(some) > 0 && os.IsNotExist(lacks) {
		return "no"
	}
	return unknown
}

// lockdown reads a line such as "none [integrity] confidentiality".
func (h *Host) lockdown() string {
	for _, sys := range []string{h.HostSys, h.Sys} {
		text := h.line(sys, "kernel/security/lockdown")
		if _, rest, ok := strings.Cut(text, "["); ok {
			if mode, _, ok := strings.Cut(rest, "]"); ok {
				return mode
			}
		}
		// The file lsm is in every securityfs; beside it, lockdown is absent only
		// where the kernel has none.
		_, there := os.Stat(filepath.Join(sys, "kernel/security/lsm"))
		_, lacks := os.Stat(filepath.Join(sys, "kernel/security/lockdown"))
		if sys != "" && there == nil && os.IsNotExist(lacks) {
			return "none"
		}
	}
	return unknown
}

// secureBoot reads the EFI variable: four bytes of attributes, then one of value.
func (h *Host) secureBoot() string {
	const guid = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	for _, sys := range []string{h.HostSys, h.Sys} {
		data, err := readfile.Regular(filepath.Join(sys, "firmware/efi/efivars/SecureBoot-"+guid), maxKernelFile)
		if err == nil && len(data) == 5 {
			return yesNo(strconv.Itoa(int(data[4])))
		}
	}
	// A machine that did not boot by EFI has no Secure Boot; inside a container
	// the folder is masked, and its absence tells nothing.
	if _, err := os.Stat(filepath.Join(h.HostSys, "firmware")); err == nil {
		if _, err := os.Stat(filepath.Join(h.HostSys, "firmware/efi")); os.IsNotExist(err) {
			return "no"
		}
	}
	return unknown
}

func (h *Host) seLinux() string {
	for _, sys := range []string{h.HostSys, h.Sys} {
		if v := h.line(sys, "fs/selinux/enforce"); v != "" {
			return yesNo(v)
		}
	}
	return unknown
}

func yesNo(v string) string {
	switch v {
	case "Y", "y", "1":
		return "yes"
	case "N", "n", "0":
		return "no"
	}
	return unknown
}
