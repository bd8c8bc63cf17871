package node

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// attempt is one init_module that failed, and all that is known around it.
type attempt struct {
	err        error
	facts      facts
	signed     bool
	parameters string
	// log holds the kernel's lines since before the attempt; nil if unreadable.
	log []string
}

// diagnose says why. errno alone has many meanings: EPERM is kept apart by
// mayLoad, which has asked with an empty module before, so what is left of it
// is lockdown; the others by the kernel's log and, without one, by what the
// checks of the file have ruled out.
func diagnose(a attempt) *refusal {
	said := ""
	if line := relevant(a.log); line != "" {
		said = "; the kernel reports: " + line
	}
	errno := fmt.Sprint(a.err)
	if e := unix.Errno(0); errors.As(a.err, &e) {
		errno = unix.ErrnoName(e)
	}
	switch {
	case errors.Is(a.err, unix.EPERM):
		return diagnosePermission(a, said)
	case errors.Is(a.err, unix.EACCES):
		return refuse(outcome.SELinuxDenied, "a security module (SELinux: %s) refuses to load modules from this container (EACCES)%s", a.facts.seLinux, said)
	case anyErrno(a.err, unix.EKEYREJECTED, unix.ENOKEY, unix.EBADMSG, unix.ENOPKG, unix.EKEYEXPIRED, unix.EKEYREVOKED):
		if a.signed {
			return refuse(outcome.SignatureRequired, "the kernel does not accept the module's signature: the key is not trusted, or the file was changed after signing (%s)%s", errno, said)
		}
		return refuse(outcome.SignatureRequired, "the kernel accepts only signed modules, and this one is not signed (%s)%s", errno, said)
	case anyErrno(a.err, unix.ENOEXEC):
		return diagnoseFormat(a, said)
	case anyErrno(a.err, unix.EINVAL):
		return diagnoseInvalid(a, said)
	case anyErrno(a.err, unix.ERANGE) && badValue(a.parameters):
		return refuse(outcome.BadParameter, "the module refuses a parameter of %q (ERANGE)%s", a.parameters, said)
	case anyErrno(a.err, unix.ENOENT) && (a.log == nil || anyContains(a.log, "Unknown symbol")):
		return refuse(outcome.SymbolMismatch, "the module needs a symbol that this kernel does not export (ENOENT)%s", said)
	case anyErrno(a.err, unix.ENOMEM, unix.E2BIG, unix.EFAULT, unix.EFBIG):
		return refuse(outcome.KernelRejected, "the kernel could not load the module (%s)%s", errno, said)
	case anyErrno(a.err, unix.ENOSYS):
		return refuse(outcome.NoModuleSupport, "this kernel has no init_module (ENOSYS)")
	}
	return refuse(outcome.InitFailed, "the module's own initialization failed with %s%s", errno, said)
}

func anyErrno(err error, list ...unix.Errno) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func diagnosePermission(a attempt, said string) *refusal {
	what := "an unsigned module"
	if a.signed {
		what = "a module whose signature it does not trust"
	}
	locked := "lockdown, which cannot be read here (the host's /sys is not mounted)"
	if a.facts.lockdown != unknown {
		locked = "lockdown=" + a.facts.lockdown
	}
	if a.facts.lockdown == "none" {
		return refuse(outcome.KernelRejected, "the kernel refuses this module with EPERM, although capability, seccomp filter and lockdown allow it%s", said)
	}
	return refuse(outcome.LockedDown, "the kernel refuses %s: %s, Secure Boot: %s%s", what, locked, a.facts.secureBoot, said)
}

// diagnoseFormat: the file was a whole ELF module of the right name, machine
// and release before it came here.
func diagnoseFormat(a attempt, said string) *refusal {
	switch {
	case anyContains(a.log, "version magic"):
		// Its release was compared before: what differs is the build.
		return refuse(outcome.OtherBuild, "the module was built for another build or configuration of this kernel release (ENOEXEC)%s", said)
	case anyContains(a.log, "Invalid ELF", "overflow", "truncated"):
		return refuse(outcome.Truncated, "the kernel rejects the module's ELF file as damaged (ENOEXEC)%s", said)
	}
	return refuse(outcome.SymbolMismatch, "the module was not built against exactly this kernel's headers and configuration (ENOEXEC)%s", said)
}

func diagnoseInvalid(a attempt, said string) *refusal {
	switch {
	case anyContains(a.log, "invalid for parameter", "for parameter `"):
		return refuse(outcome.BadParameter, "the module refuses a parameter of %q (EINVAL)%s", a.parameters, said)
	case anyContains(a.log, "disagrees about version", "Unknown symbol"):
		return refuse(outcome.SymbolMismatch, "the module needs a symbol in another version than this kernel's (EINVAL)%s", said)
	case a.log != nil:
		return refuse(outcome.InitFailed, "the module's own initialization failed with EINVAL%s", said)
	case badValue(a.parameters):
		return refuse(outcome.BadParameter, "the module refuses a parameter of %q (EINVAL)", a.parameters)
	}
	return refuse(outcome.SymbolMismatch, "the module does not fit this kernel's symbols, or its initialization failed (EINVAL); the node's kernel log says which")
}

// badValue finds a parameter that is not an unsigned number of 32 bits, as all of
// PF_RING's are.
func badValue(parameters string) bool {
	for _, p := range strings.Fields(parameters) {
		_, value, _ := strings.Cut(p, "=")
		if !isUint32(value) {
			return true
		}
	}
	return false
}

func anyContains(log []string, texts ...string) bool {
	for _, line := range log {
		for _, t := range texts {
			if strings.Contains(line, t) {
				return true
			}
		}
	}
	return false
}

// relevant is the line of the log that tells most, without level and time.
func relevant(log []string) string {
	for _, text := range []string{"version magic", "disagrees about version", "Unknown symbol", "parameter", "Lockdown", "unsigned module", "Loading of", "Invalid ELF"} {
		for i := len(log) - 1; i >= 0; i-- {
			if strings.Contains(log[i], text) {
				return clean(log[i])
			}
		}
	}
	// PF_RING's own words; another driver's would mislead.
	for i := len(log) - 1; i >= 0; i-- {
		if strings.Contains(strings.ToLower(log[i]), "pf_ring") {
			return clean(log[i])
		}
	}
	return ""
}

func clean(line string) string {
	if rest, ok := strings.CutPrefix(line, "<"); ok {
		_, line, _ = strings.Cut(rest, ">")
	}
	if strings.HasPrefix(line, "[") {
		if _, rest, ok := strings.Cut(line, "] "); ok {
			line = rest
		}
	}
	if len(line) > 300 {
		line = line[:300]
	}
	return strings.ToValidUTF8(line, "?")
}
