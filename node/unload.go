package node

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Unload takes the module out of the kernel. While something uses it, it tries
// again until ctx ends and then gives up with unload-busy: it is never forced.
// A module that is not loaded is not an error.
func Unload(ctx context.Context, h *Host, name string) error {
	if h.supportsModules() && h.Loaded(name) == nil {
		return nil
	}
	for pause := 50 * time.Millisecond; ; pause = min(pause*2, time.Second) {
		err := h.Kernel.DeleteModule(name)
		switch {
		case err == nil, errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.ENOSYS):
			return refuse(outcome.NoModuleSupport, "this kernel has no delete_module (ENOSYS)")
		case errors.Is(err, unix.EPERM) && h.modulesDisabled():
			return refuse(outcome.ModulesDisabled, "kernel.modules_disabled is 1, so %s stays loaded until the node boots again", name)
		case errors.Is(err, unix.EPERM):
			return refuse(outcome.CapabilityMissing, "the kernel refuses to unload %s (EPERM): the agent needs uid 0 and the capability SYS_MODULE", name)
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EBUSY):
			return refuse(outcome.Internal, "unloading %s: %v", name, err)
		}
		if wait.For(ctx, pause) != nil {
			refs := 0
			if m := h.Loaded(name); m != nil {
				refs = m.Refs
			}
			return refuse(outcome.UnloadBusy, "%s is in use (by %d) and stays loaded", name, refs)
		}
	}
}
