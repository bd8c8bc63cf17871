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

// What load can write are its own folders, and what is secret no other container
// of the pod can read.
func TestLoadWritesItsOwnFoldersAndSecretsAreItsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		values  string
		want    []string
		secrets int
	}{
		"default":     {"", []string{"cache", "outcome", "state"}, 0},
		"credentials": {"tap: {kernelModule: {source: {url: 's3://b/p', credentialsSecret: c, publicKeySecret: k, caBundle: {secret: a}}}}", []string{"cache", "outcome", "state"}, 3},
		"no cache":    {"tap: {kernelModule: {cache: {enabled: false}}}", []string{"outcome", "state"}, 0},
		"kmm":         {kmmMode, []string{"outcome"}, 0},
	} {
		ds := daemonSet(t, c.values)
		secret := map[any]bool{}
		volumes, _ := at(ds, "spec.template.spec.volumes").([]any)
		for _, v := range volumes {
			secret[at(v, "name")] = at(v, "secret") != nil
		}
		var writable []string
		secrets := 0
		mounts, _ := at(ds, "spec.template.spec.initContainers.0.volumeMounts").([]any)
		for _, m := range mounts {
			if at(m, "readOnly") != true {
				writable = append(writable, at(m, "name").(string))
			}
			if secret[at(m, "name")] {
				secrets++
			}
		}
		if secrets != c.secrets {
			t.Errorf("%s: load mounts %d Secrets, want %d", name, secrets, c.secrets)
		}
		if slices.Sort(writable); !slices.Equal(writable, c.want) {
			t.Errorf("%s: load can write %v, want %v", name, writable, c.want)
		}
		mounts, _ = at(ds, "spec.template.spec.containers.0.volumeMounts").([]any)
		for _, m := range mounts {
			if secret[at(m, "name")] {
				t.Errorf("%s: run can read the Secret %v", name, at(m, "name"))
			}
		}
	}
}
