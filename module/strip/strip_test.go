package strip_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// source is what a compiler makes a module of, as far as strip can tell: it has
// what depends on numbers that change, such as relocations between sections.
const source = `
#define INFO(n, s) static const char info_##n[] __attribute__((section(".modinfo"), used)) = s
INFO(a, "name=pf_ring"); INFO(b, "version=8.9.0"); INFO(c, "vermagic=6.1.0-18-cloud-amd64 SMP mod_unload ");
static int table[] = {3, 1, 4, 1, 5};
static int zero[64];
static int first(int n) { return table[n] + zero[n]; }
static int second(int n) { return table[n] * 2; }
int (*const calls[])(int) = {first, second};
__attribute__((section(".text.unlikely"), noinline)) int answer(int n) { return calls[n & 1](n % 5); }
`

const program = `extern int answer(int); int main(void) { return answer(2) + answer(3) == 6 ? 0 : 1; }`

func compile(t *testing.T, dir, name, text string, args ...string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("there is no gcc here")
	}
	in, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name+".o")
	if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-o", out, in)
	if text, err := exec.CommandContext(t.Context(), gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v: %s", err, text)
	}
	return out
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sectionNames(t *testing.T, data []byte) []string {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range f.Sections {
		names = append(names, s.Name)
	}
	return names
}

// A linker reads a relocatable file as the kernel does: sections, symbols and
// relocations by number. What it makes of the stripped file must still run.
func TestDebugLeavesAFileThatLinksAndRuns(t *testing.T) {
	dir := t.TempDir()
	object := compile(t, dir, "module", source, "-g", "-O1", "-c", "-fno-toplevel-reorder")
	before := read(t, object)
	after, err := strip.Debug(before)
	if err != nil {
		t.Fatal(err)
	}
	if len(after) >= len(before) {
		t.Errorf("stripped it has %d bytes, before %d", len(after), len(before))
	}
	for _, name := range sectionNames(t, after) {
		if strings.Contains(name, "debug") {
			t.Errorf("section %s is still there", name)
		}
	}
	if tool, err := exec.LookPath("strip"); err == nil {
		want := filepath.Join(dir, "want.o")
		if text, err := exec.CommandContext(t.Context(), tool, "--strip-debug", "-o", want, object).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v: %s", err, text)
		}
		got, tools := sectionNames(t, after), sectionNames(t, read(t, want))
		slices.Sort(got)
		slices.Sort(tools)
		if !slices.Equal(got, tools) {
			t.Errorf("sections are %q, those of the tool strip %q", got, tools)
		}
	}
	checkLocals(t, after)
	if err := os.WriteFile(object, after, 0o600); err != nil {
		t.Fatal(err)
	}
	linked := compile(t, dir, "main", program, object)
	if err := exec.CommandContext(t.Context(), linked).Run(); err != nil {
		t.Errorf("the program with the stripped file: %v", err)
	}
	again, err := strip.Debug(after)
	if err != nil || !bytes.Equal(again, after) {
		t.Errorf("stripping twice is not stripping once: %v", err)
	}
}

// checkLocals tells whether the symbol table says how many local symbols it begins with.
func checkLocals(t *testing.T, data []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols() // without the first one, which has no name
	if err != nil {
		t.Fatal(err)
	}
	locals := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return elf.ST_BIND(s.Info) != elf.STB_LOCAL })
	if got := f.SectionByType(elf.SHT_SYMTAB).Info; locals < 0 || got != uint32(locals)+1 {
		t.Errorf("the symbol table says that it has %d local symbols, and has %d", got, locals+1)
	}
}

func TestDebugNeverBreaksASignature(t *testing.T) {
	ko := moduletest.KO{Signature: []byte("signature")}.Bytes()
	if _, err := strip.Debug(ko); !errors.Is(err, strip.ErrSigned) {
		t.Errorf("err = %v, want ErrSigned", err)
	}
	small, err := strip.Small(ko)
	if err != nil {
		t.Fatal(err)
	}
	plain, format, err := module.Decompress(small, module.DefaultMaxSize)
	if err != nil || format != module.FormatZst || !bytes.Equal(plain, ko) {
		t.Errorf("Small changed a signed module (%s, %v)", format, err)
	}
}

func TestDebugRefusesWhatIsNoModule(t *testing.T) {
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("<html>"), "cut": moduletest.KO{}.Bytes()[:400]} {
		var e *module.Error
		if _, err := strip.Debug(data); !errors.As(err, &e) {
			t.Errorf("%s: err = %v, want a *module.Error", name, err)
		}
	}
}

func TestSmallIsTheSameEachTimeAndSmall(t *testing.T) {
	ko := moduletest.KO{Symbols: slices.Repeat([]string{"printk"}, 2000)}.Bytes()
	one, err := strip.Small(ko)
	if err != nil {
		t.Fatal(err)
	}
	two, err := strip.Small(ko)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) || len(one)*4 > len(ko) {
		t.Errorf("%d bytes of %d, equal: %v", len(one), len(ko), bytes.Equal(one, two))
	}
	plain, _, err := module.Decompress(one, module.DefaultMaxSize)
	if err != nil || !bytes.Equal(plain, ko) {
		t.Errorf("a module without debug information was changed: %v", err)
	}
}

func FuzzDebug(f *testing.F) {
	f.Add(moduletest.KO{Symbols: []string{"printk"}}.Bytes())
	f.Add(moduletest.KO{Arch: "arm64", Padding: 100}.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := strip.Debug(data)
		if err != nil {
			return
		}
		before, _ := module.Inspect(data)
		after, err := module.Inspect(out)
		if err != nil || before.Name != after.Name || before.Vermagic != after.Vermagic || len(out) > len(data)+maxGrowth {
			t.Errorf("%d bytes became %d: %v", len(data), len(out), err)
		}
	})
}

// maxGrowth is what alignment may add to a file that was laid out more tightly.
const maxGrowth = 1 << 20

// Names of source files are debug information too, and an alignment is what a
// file of anybody's says: it must not decide how much is written.
func TestDebugRemovesFileSymbolsAndRefusesImpossibleAlignments(t *testing.T) {
	before := read(t, compile(t, t.TempDir(), "module", source, "-g", "-O1", "-c"))
	after, err := strip.Debug(before)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(after))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FILE {
			t.Errorf("the symbol of source file %q is still there", s.Name)
		}
	}
	for _, alignment := range []uint64{3, 1 << 40} {
		odd := bytes.Clone(before)
		const headers, size, field = 40, 64, 48 // offsets in an ELF header and in a section's
		at := binary.LittleEndian.Uint64(odd[headers:]) + size + field
		binary.LittleEndian.PutUint64(odd[at:], alignment)
		if _, err := strip.Debug(odd); err == nil || !strings.Contains(err.Error(), "alignment") {
			t.Errorf("alignment %d: err = %v, want one that names it", alignment, err)
		}
	}
}
