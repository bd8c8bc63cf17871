package kmm

import (
	"reflect"
	"slices"
)

// Action is what KMM's next worker pod does on a node.
type Action string

// The actions. None means that KMM is done with the node.
const (
	None   Action = ""
	Load   Action = "load"
	Unload Action = "unload"
)

// Config is the configuration of a Module in a NodeModulesConfig.
type Config map[string]any

// Kernel is the kernel release that a configuration is for, trimmed.
func (c Config) Kernel() string {
	s, _ := c["kernelVersion"].(string)
	return s
}

// Loads tells whether a module of that name is loaded by it: as the one that modprobe
// is called with, or before that one, in modulesLoadingOrder.
func (c Config) Loads(module string) bool {
	modprobe, _ := c["modprobe"].(map[string]any)
	order, _ := modprobe["modulesLoadingOrder"].([]any)
	return modprobe["moduleName"] == module || slices.Contains(order, any(module))
}

// Next is what KMM does next on a node, by the configuration that it wants there
// and the one that it last loaded; nil is none. A changed configuration is
// unloaded before the new one is loaded, unless the kernel has changed, and a
// reboot loads again. From internal/controllers/nmc_reconciler.go, 2.0 to 2.7.
func Next(want, loaded Config, rebooted bool) Action {
	switch {
	case want == nil && loaded == nil, want == nil && rebooted:
		return None
	case want == nil:
		return Unload
	case loaded == nil:
		return Load
	case !reflect.DeepEqual(want, loaded):
		if want.Kernel() == loaded.Kernel() {
			return Unload
		}
		return Load
	case rebooted:
		return Load
	}
	return None
}
