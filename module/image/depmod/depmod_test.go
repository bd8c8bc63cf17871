package depmod_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/image/depmod"
)

// look reads every key of a binary index, as the format's description has it.
func look(data []byte) (_ map[string][]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("broken index: %v", p)
		}
	}()
	u32 := func(at uint32) uint32 { return binary.BigEndian.Uint32(data[at:]) }
	if u32(0) != 0xb007f457 || u32(4) != 0x00020001 {
		return nil, errors.New("wrong header")
	}
	out := map[string][]string{}
	text := func(at uint32) (string, uint32) {
		end := at
		for data[end] != 0 {
			end++
		}
		return string(data[at:end]), end + 1
	}
	var walk func(ref uint32, key string)
	walk = func(ref uint32, key string) {
		at := ref & 0x0fffffff
		if ref&0x80000000 != 0 {
			var prefix string
			prefix, at = text(at)
			key += prefix
		}
		if ref&0x20000000 != 0 {
			first, last := data[at], data[at+1]
			at += 2
			for c := int(first); c <= int(last); c++ {
				if child := u32(at); child != 0 {
					walk(child, key+string(rune(c)))
				}
				at += 4
			}
		}
		if ref&0x40000000 != 0 {
			n, priority := u32(at), uint32(0)
			at += 4
			for range n {
				if p := u32(at); p < priority {
					panic("priorities do not ascend")
				} else {
					priority = p
				}
				var value string
				value, at = text(at + 4)
				out[key] = append(out[key], value)
			}
		}
	}
	walk(u32(8), "")
	return out, nil
}

func TestFilesOfOneModule(t *testing.T) {
	m, err := depmod.Describe("pf_ring.ko", moduletest.KO{}.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	files, err := depmod.Files([]depmod.Module{m}, depmod.Kernel{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"modules.dep":   "pf_ring.ko:\n",
		"modules.alias": "# Aliases extracted from modules themselves.\nalias net_pf_27 pf_ring\n",
		// No key at all: the header, and a root at offset 12 that has nothing.
		"modules.builtin.bin": "\xb0\x07\xf4\x57\x00\x02\x00\x01\x00\x00\x00\x0c",
	} {
		if got := string(files[name]); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"modules.dep.bin": "map[pf_ring:[pf_ring.ko:]]", "modules.alias.bin": "map[net_pf_27:[pf_ring]]", "modules.symbols.bin": "map[]"} {
		keys, err := look(files[name])
		if got := fmt.Sprint(keys); got != want || err != nil {
			t.Errorf("%s: %s, want %s (%v)", name, got, want, err)
		}
	}
}

func TestDependenciesAreCompleteAndInOrder(t *testing.T) {
	modules := []depmod.Module{
		{Path: "c.ko", Name: "c"}, {Path: "b.ko.xz", Name: "b", Depends: []string{"c"}}, {Path: "x-y.ko", Name: "x_y", Depends: []string{"c", "b", "gone"}},
		{Path: "top.ko", Name: "top", Depends: []string{"x_y"}},
	}
	files, err := depmod.Files(modules, depmod.Kernel{})
	if err != nil {
		t.Fatal(err)
	}
	want := "b.ko.xz: c.ko\nc.ko:\ntop.ko: x-y.ko b.ko.xz c.ko\nx-y.ko: b.ko.xz c.ko\n"
	if got := string(files["modules.dep"]); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWhatCannotBeIndexedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		modules []depmod.Module
		says    string
	}{
		"a circle":  {[]depmod.Module{{Path: "a.ko", Name: "a", Depends: []string{"b"}}, {Path: "b.ko", Name: "b", Depends: []string{"a"}}}, "a.ko depends on itself"},
		"twice":     {[]depmod.Module{{Path: "a.ko", Name: "a"}, {Path: "x/a.ko.xz", Name: "a"}}, "a.ko and x/a.ko.xz are both"},
		"a line":    {[]depmod.Module{{Path: "a.ko\nb.ko", Name: "a"}}, "must not have spaces"},
		"a command": {[]depmod.Module{{Path: "a.ko", Name: "a", Softdeps: []string{"pre: b\ninstall a /bin/true"}}}, "control characters"},
		"8 bits":    {[]depmod.Module{{Path: "a.ko", Name: "ä"}}, "not printable 7-bit"},
	} {
		if _, err := depmod.Files(c.modules, depmod.Kernel{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: no %q in: %v", name, c.says, err)
		}
	}
	if _, err := depmod.Describe("x.ko", []byte("<html>")); err == nil {
		t.Error("a page was taken for a module")
	}
}

func TestAnAliasOfSeveralModulesKeepsTheKernelsOrder(t *testing.T) {
	modules := []depmod.Module{{Path: "a.ko", Name: "a", Aliases: []string{"net-pf-[1-9]-x"}}, {Path: "b.ko.zst", Name: "b", Aliases: []string{"net_pf-[1-9]-x"}}}
	files, err := depmod.Files(modules, depmod.Kernel{Order: []string{"b.ko"}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := look(files["modules.alias.bin"])
	if got := fmt.Sprint(keys); got != "map[net_pf_[1-9]_x:[b a]]" || err != nil {
		t.Error(got, err)
	}
}

// Any names must be found again, whatever prefixes they share.
func FuzzFiles(f *testing.F) {
	f.Add("a ab abc b", "x")
	f.Add("net_pf_27 net_pf_2 net_ pci:v* symbol:", "pf_ring")
	f.Fuzz(func(t *testing.T, aliases, name string) {
		m := depmod.Module{Path: "m.ko", Name: name, Aliases: strings.Fields(aliases)}
		files, err := depmod.Files([]depmod.Module{m}, depmod.Kernel{})
		if err != nil {
			return
		}
		keys, err := look(files["modules.alias.bin"])
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(files["modules.alias"])) {
			if fields := strings.Fields(line); fields[0] == "alias" {
				want = append(want, fields[1])
			}
		}
		slices.Sort(want)
		for _, alias := range slices.Compact(want) {
			if len(keys[alias]) == 0 {
				t.Errorf("%q is lost", alias)
			}
			delete(keys, alias)
		}
		if len(keys) > 0 {
			t.Errorf("keys from nowhere: %q", keys)
		}
	})
}
