package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// TestAModuleOfAnotherReleaseLoadsWithProof: by pfring module index --symvers and a
// kernel's own Module.symvers a module that was built for one release is loaded by
// another, and without that it is not. Of two builds for one release the agent
// takes the one of the kernel that runs.
func TestAModuleOfAnotherReleaseLoadsWithProof(t *testing.T) {
	r := newRig(t, vm.Stable)
	ko := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	// As long as the running kernel's, and none that Debian has.
	elsewhere := strings.Replace(r.kernel.Release, "cloud", "elsew", 1)
	foreign := withVermagic(t, ko, strings.Replace(vermagic(t, ko), r.kernel.Release, elsewhere, 1))
	symvers := r.kernel.Release + "=" + filepath.Join(r.kernel.Headers, "Module.symvers")
	wrong := withWrongCRC(t, foreign, "module_layout")

	key := filepath.Join(t.TempDir(), "key")
	public := newKey(t, key)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		flags []string
	}{
		{"proved", map[string][]byte{"pf_ring.ko": foreign}, []string{"--symvers", symvers}},
		{"unproved", map[string][]byte{"pf_ring.ko": foreign}, nil},
		{"disproved", map[string][]byte{"pf_ring.ko": wrong}, []string{"--symvers", symvers}},
		{"two builds", map[string][]byte{"hwe/pf_ring.ko": vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0", Undefined: true}), "pf_ring.ko": ko}, []string{
			"--kernel-version", "hwe/pf_ring.ko=#1~20.04.1-Ubuntu SMP", "--kernel-version", "pf_ring.ko=" + r.kernel.Headers,
		}},
	} {
		dir := t.TempDir()
		moduletest.WriteFiles(t, dir, c.files)
		said := pfring(t, append([]string{"module", "index", dir, "--key", key, "--compress"}, c.flags...)...)
		if proved := strings.Contains(said, "fits kernel "+r.kernel.Release+" too"); proved != (c.name == "proved") {
			t.Errorf("%s: pfring says\n%s", c.name, said)
		}
		name := strings.ReplaceAll(c.name, " ", "-")
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			rel, relErr := filepath.Rel(dir, path)
			r.files["/repositories/"+name+"/"+filepath.ToSlash(rel)] = data
			if err == nil {
				err = relErr
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r.keys[name] = public
	}
	r.boot(t, "")
	for name, want := range map[string]outcome.Reason{
		"proved": outcome.Loaded, "unproved": outcome.NoModuleForKernel, "disproved": outcome.NoModuleForKernel, "two-builds": outcome.Loaded,
	} {
		result := r.Do(t, r.load(name))
		o := r.outcome(t, result)
		r.holds(t, result, o, want, want == outcome.Loaded)
		t.Logf("%s: %s %s", name, o.Reason, o.Message)
		r.remove(t, "pf_ring")
	}
	version := r.Do(t, step.Request{Op: step.Read, Path: "/proc/sys/kernel/version"}).Data
	index, err := module.ParseIndex(r.files["/repositories/two-builds/"+module.IndexName])
	if err != nil || index.Modules[0].KernelVersion != strings.TrimSpace(version) || len(index.Modules) != 2 {
		t.Errorf("uname -v prints %q, the index has %+v, %v", version, index, err)
	}
}

// newKey makes a signing key without a password and returns its public half.
func newKey(t *testing.T, path string) string {
	t.Helper()
	pfring(t, "module", "keygen", path, "--no-password")
	data, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}
