package images_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image/depmod"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// Each module of a Debian kernel must be found by kmod's own modprobe with our
// index as with depmod's: the same files, every one after those that it needs.
func TestOurIndexIsAsGoodAsDepmods(t *testing.T) {
	vm.Need(t)
	modprobe, depmodProgram := kmod(t, "modprobe"), kmod(t, "depmod")
	k := vm.Get(t, vm.Stable)
	theirs, ours := linked(t, k), linked(t, k)
	if out, err := exec.Command(depmodProgram, "-b", theirs, k.Release).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	modules, kernel := described(t, k)
	files, err := depmod.Files(modules, kernel)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(ours, "lib", "modules", k.Release, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asked := []string{"ext4", "net-pf-17", "symbol:nf_register_net_hook", "symbol:crc32c_impl", "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00", "crypto-sha256", "fs-ext4", "no-such-module"}
	for i, m := range modules {
		asked = append(asked, m.Name)
		if len(m.Aliases) > 0 && i%10 == 0 {
			asked = append(asked, m.Aliases[0])
		}
		if len(m.Exports) > 0 && i%10 == 0 {
			asked = append(asked, "symbol:"+m.Exports[0])
		}
	}
	t.Logf("%d modules of %s, %d look-ups", len(modules), k.Release, len(asked))
	deps := needs(t, files[depmod.DepName])
	for _, name := range asked {
		a, b := show(modprobe, theirs, k.Release, name), show(modprobe, ours, k.Release, name)
		inOrder(t, name, b, deps)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s:\ndepmod's index gives %q\nours gives           %q", name, a, b)
		}
	}
}

// kmod finds one of kmod's programs, which Debian keeps out of a user's PATH.
func kmod(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	why := "needs " + name + ": apt-get install kmod"
	if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// linked is a root folder with the kernel's modules and without an index.
func linked(t testing.TB, k vm.Kernel) string {
	t.Helper()
	root := t.TempDir()
	to := filepath.Join(root, "lib", "modules", k.Release)
	err := filepath.WalkDir(k.Modules, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(k.Modules, path)
		if err := errors.Join(err, relErr); err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), data, 0o644)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func described(t testing.TB, k vm.Kernel) (modules []depmod.Module, kernel depmod.Kernel) {
	t.Helper()
	err := filepath.WalkDir(k.Modules, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(d.Name(), ".ko") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		ko, _, err := module.Decompress(data, 64<<20)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(k.Modules, path)
		if err != nil {
			return err
		}
		m, err := depmod.Describe(filepath.ToSlash(rel), ko)
		modules = append(modules, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(k.Modules, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	kernel.Order = strings.Fields(string(read("modules.order")))
	kernel.Builtin = strings.Fields(string(read("modules.builtin")))
	for field := range bytes.SplitSeq(read("modules.builtin.modinfo"), []byte{0}) {
		key, value, _ := strings.Cut(string(field), "=")
		if name, ok := strings.CutSuffix(key, ".alias"); ok {
			kernel.BuiltinAliases = append(kernel.BuiltinAliases, [2]string{value, name})
		}
	}
	return modules, kernel
}

// show is what modprobe would do, line by line, or what it complains of.
func show(modprobe, root, release, name string) []string {
	out, err := exec.Command(modprobe, "-d", root, "-S", release, "--show-depends", name).CombinedOutput()
	text := strings.ReplaceAll(string(out), root, "")
	if err != nil {
		text += err.Error()
	}
	return strings.Split(strings.TrimSpace(text), "\n")
}

// needs reads modules.dep: what each file needs.
func needs(t testing.TB, dep []byte) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(string(dep)) {
		path, rest, _ := strings.Cut(line, ":")
		out[path] = strings.Fields(rest)
	}
	return out
}

func inOrder(t *testing.T, name string, lines []string, deps map[string][]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "insmod" {
			continue
		}
		path := strings.SplitN(fields[1], "/", 5)[4]
		for _, d := range deps[path] {
			if !seen[d] {
				t.Errorf("%s: %s is loaded before %s, which it needs", name, path, d)
			}
		}
		seen[path] = true
	}
}
