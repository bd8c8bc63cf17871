package charts_test

import (
	"maps"
	"slices"
	"testing"
)

// What load goes by on the next boot (outcome, state, copy, what was seen) only
// load can write: run serves the network for life.
func TestRunCanWriteNothingThatLoadReads(t *testing.T) {
	for name, values := range map[string]string{
		"default":   "",
		"unloading": "tap: {kernelModule: {unloadOnDestroy: true}}",
		"rings":     "tap: {kernelModule: {metrics: {rings: true}}}",
		"elsewhere": "tap: {kernelModule: {stateFile: /run/a/b/state.json, cache: {hostPath: /var/lib/x}}}",
		"no cache":  "tap: {kernelModule: {cache: {enabled: false}}}",
		"kmm":       kmmMode,
	} {
		ds := daemonSet(t, values)
		writable := map[string]bool{}
		mounts, ok := at(ds, "spec.template.spec.containers.0.volumeMounts").([]any)
		if !ok {
			t.Fatalf("%s: run mounts nothing", name)
		}
		for _, m := range mounts {
			if at(m, "name") == "cache" {
				t.Errorf("%s: run mounts the node's copy", name)
			}
			if at(m, "readOnly") != true {
				writable[at(m, "name").(string)] = true
			}
		}
		want := []string{"watch"}
		if name == "kmm" {
			want = nil
		}
		if got := slices.Sorted(maps.Keys(writable)); !slices.Equal(got, want) {
			t.Errorf("%s: run can write %v, want %v", name, got, want)
		}
		seLinux := at(ds, "spec.template.spec.containers.0.securityContext.seLinuxOptions")
		if needs := name == "unloading" || name == "rings"; (seLinux != nil) != needs {
			t.Errorf("%s: run has the SELinux options %v", name, seLinux)
		}
	}
}
