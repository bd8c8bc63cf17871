package node

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// refusal is why a node has no module: a reason code and a sentence.
type refusal struct {
	reason  outcome.Reason
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(reason outcome.Reason, format string, args ...any) *refusal {
	return &refusal{reason: reason, message: fmt.Sprintf(format, args...)}
}

// mayLoad finds out, before anything is fetched, whether this process may load
// a module into this kernel. The question is put to the kernel itself, with an
// empty module: what stops a load for its caller's sake (capability, seccomp,
// modules_disabled) stops that as well, and what depends on the module does not.
func (h *Host) mayLoad(f facts) error {
	if !f.supportsModules {
		return refuse(outcome.NoModuleSupport, "this kernel does not support loadable modules: /proc/modules does not exist")
	}
	if f.modulesDisabled {
		return refuse(outcome.ModulesDisabled, "kernel.modules_disabled is 1, so no module can be loaded until the node boots again without it")
	}
	if !f.capSysModule {
		return refuse(outcome.CapabilityMissing, "the agent lacks the effective capability SYS_MODULE: it must run as uid 0 with the capability added")
	}
	switch err := h.Kernel.InitModule(nil, ""); {
	case errors.Is(err, unix.EPERM) && f.seccomp:
		return refuse(outcome.SeccompDenied, "a seccomp filter refuses init_module although the agent has the capability SYS_MODULE")
	case errors.Is(err, unix.EPERM):
		return refuse(outcome.CapabilityMissing, "the kernel refuses init_module with EPERM although the agent has the capability SYS_MODULE: "+
			"the agent may be in a user namespace, where that capability has no effect")
	case errors.Is(err, unix.ENOSYS) && f.seccomp:
		return refuse(outcome.SeccompDenied, "a seccomp filter hides init_module (ENOSYS)")
	case errors.Is(err, unix.ENOSYS):
		return refuse(outcome.NoModuleSupport, "this kernel has no init_module (ENOSYS)")
	case errors.Is(err, unix.EACCES):
		return refuse(outcome.SELinuxDenied, "a security module (SELinux or AppArmor) refuses to load modules from this container (EACCES)")
	}
	// ENOEXEC or EINVAL: the kernel has looked at the module and found it empty.
	return nil
}
