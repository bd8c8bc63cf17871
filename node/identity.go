package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// unknownSource is the source of a module that nobody knows to have loaded.
const unknownSource = "unknown"

// is tells whether m is the very load that an outcome speaks of, and not another
// of the same name, however alike: what was verified then holds for that alone.
func (m *LoadedModule) is(o outcome.Module) bool {
	return o.Instance != 0 && o.Instance == m.Instance && o.Version == m.Version &&
		(o.SrcVersion == "" || m.SrcVersion == "" || o.SrcVersion == m.SrcVersion)
}

// foreign is what is known of a module that this project did not load, or not
// as it is now.
func (m *LoadedModule) foreign() outcome.Module {
	return outcome.Module{Version: m.Version, SrcVersion: m.SrcVersion, Instance: m.Instance, Source: unknownSource, Verified: outcome.VerifiedNone}
}

// otherParameters says how the parameters of the loaded module differ from the
// wanted ones, or "". had are those that it was loaded with, as far as known:
// one that is no longer wanted differs too. What the module does not have, the
// kernel has ignored.
func (h *Host) otherParameters(name, wanted, had string) string {
	want := parameterMap(wanted)
	var differ []string
	for key, value := range want {
		now := h.line(h.Sys, "module", name, "parameters", key)
		if now != "" && !sameValue(now, value) {
			differ = append(differ, fmt.Sprintf("%s is %s, must be %s", key, now, value))
		}
	}
	for key, value := range parameterMap(had) {
		if _, ok := want[key]; !ok {
			differ = append(differ, fmt.Sprintf("%s is %s, must be its default", key, value))
		}
	}
	slices.Sort(differ)
	return strings.Join(differ, "; ")
}

func parameterMap(text string) map[string]string {
	out := map[string]string{}
	for _, p := range strings.Fields(text) {
		key, value, _ := strings.Cut(p, "=")
		out[strings.ReplaceAll(key, "-", "_")] = value
	}
	return out
}

// sameValue compares as the kernel reads: numbers in any base, and Y or 1.
func sameValue(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := parseUint(a)
	y, okY := parseUint(b)
	if okX && okY {
		return x == y
	}
	return yesNo(a) != unknown && yesNo(a) == yesNo(b)
}
