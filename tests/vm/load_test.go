package vm_test

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// TestLoad goes through what can happen to a file on two kernels: each row's
// outcome, and what the kernel then really has.
func TestLoad(t *testing.T) {
	for _, suite := range []vm.Suite{vm.Stable, vm.Backports} {
		t.Run(string(suite), func(t *testing.T) {
			r := newRig(t, suite)
			rows := append(fileRows(t, r), repositoryRows(t, r)...)
			rows = append(rows, parameterRows(t, r)...)
			for _, w := range rows {
				w.prepare(t, r)
			}
			calls := kernelCalls(t, r)
			r.boot(t, "")
			for _, w := range rows {
				w.check(t, r)
			}
			for _, c := range calls {
				c.check(t, r)
			}
		})
	}
}

// other is the suite whose kernel the rig does not run.
func (r *rig) other(t *testing.T) vm.Kernel {
	t.Helper()
	for _, suite := range []vm.Suite{vm.Stable, vm.Backports} {
		if k := vm.Get(t, suite); k.Release != r.kernel.Release {
			return k
		}
	}
	t.Fatal("there is no other kernel")
	return vm.Kernel{}
}

// fileRows are about the module file.
func fileRows(t *testing.T, r *rig) []row {
	good := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	foreign := vm.Module(t, r.other(t), vm.Variant{Version: "8.9.0"})
	magic := vermagic(t, good)
	release, flags, _ := strings.Cut(magic, " ")
	arm := moduletest.KO{Arch: "arm64", Kernel: r.kernel.Release}.Bytes()
	return []row{
		{name: "good", module: good, errno: "0", reason: outcome.Loaded, live: true, says: "8.9.0"},
		{name: "good xz", module: good, format: "xz", reason: outcome.Loaded, live: true},
		{name: "good zst", module: good, format: "zst", reason: outcome.Loaded, live: true},
		{name: "good gz", module: good, format: "gz", reason: outcome.Loaded, live: true},
		{name: "for the other kernel", module: foreign, errno: "ENOEXEC", reason: outcome.WrongKernel, says: r.other(t).Release},
		// The kernel would take it; the agent is stricter.
		{name: "release differs and symbols fit", module: withVermagic(t, good, "0"+magic[1:]), errno: "0", reason: outcome.WrongKernel},
		{name: "for the other kernel in disguise", module: disguised(t, foreign, magic), errno: "ENOEXEC", reason: outcome.SymbolMismatch},
		{
			name: "vermagic flags differ", module: withVermagic(t, good, release+" "+strings.Replace(flags, "preempt", "PREEMPT", 1)), errno: "ENOEXEC",
			reason: outcome.OtherBuild, says: "version magic", blindReason: outcome.SymbolMismatch,
		},
		{name: "module_layout differs", module: withWrongCRC(t, good, "module_layout"), errno: "ENOEXEC", reason: outcome.SymbolMismatch, says: "disagrees about version"},
		{name: "another symbol differs", module: withWrongCRC(t, good, "sk_alloc"), errno: "EINVAL", reason: outcome.SymbolMismatch, says: "sk_alloc"},
		{
			name: "undefined symbol", module: vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0", Undefined: true}), errno: "ENOENT",
			reason: outcome.SymbolMismatch, says: "pf_ring_test_no_such_function",
		},
		{name: "truncated", module: good[:len(good)/2], errno: "ENOEXEC", reason: outcome.Truncated},
		{name: "the last byte is missing", module: good[:len(good)-1], errno: "ENOEXEC", reason: outcome.Truncated},
		{name: "empty", module: []byte{}, errno: "ENOEXEC", reason: outcome.SourceInvalid, says: "size is 0"},
		{name: "not relocatable", module: executable(good), errno: "ENOEXEC", reason: outcome.NotAModule},
		{name: "compressed under a plain name", module: compressed(t, good), errno: "ENOEXEC", reason: outcome.Loaded, live: true},
		{
			// The kernel's own module, and its own key: a wrong byte counts in any mode.
			name: "changed after signing", module: changedAfterSigning(t, r), errno: "EKEYREJECTED",
			reason: outcome.SignatureRequired, says: "changed after signing", flags: []string{"--module-name=dummy"},
			spoil: func(_ *testing.T, m *moduletest.Repository) {
				m.Index.Module = "dummy"
				m.Sign()
			},
		},
		{name: "32 bytes", module: good[:32], errno: "ENOEXEC", reason: outcome.Truncated},
		{name: "text", module: []byte("This is not the module that you are looking for.\n"), errno: "ENOEXEC", reason: outcome.NotAModule},
		{name: "an error page", module: []byte("<!DOCTYPE html><html><body><h1>Not found</h1></body></html>"), errno: "ENOEXEC", reason: outcome.NotAModule},
		{name: "wrong arch", module: arm, errno: "ENOEXEC", reason: outcome.WrongArch, says: "arm64"},
		{name: "another module", module: moduletest.KO{Name: "dummy", Kernel: r.kernel.Release}.Bytes(), reason: outcome.WrongModule, says: "dummy"},
	}
}

// executable is a module that says that it is a program.
func executable(ko []byte) []byte {
	changed := bytes.Clone(ko)
	changed[16] = byte(elf.ET_EXEC)
	return changed
}

func compressed(t *testing.T, ko []byte) []byte {
	t.Helper()
	data, _ := moduletest.Compress(t, ko, module.FormatXz)
	return data
}

func changedAfterSigning(t *testing.T, r *rig) []byte {
	t.Helper()
	changed, text := section(t, vm.Dummy(t, r.kernel), ".text")
	text[len(text)/2] ^= 1
	return changed
}

// disguised gives a module for another kernel this one's vermagic, in whatever
// room it has.
func disguised(t *testing.T, ko []byte, magic string) []byte {
	t.Helper()
	if own := vermagic(t, ko); len(own) < len(magic) {
		// Shorter flags would be distinguished from the kernel's own, the release not.
		magic = magic[:len(own)]
	}
	return withVermagic(t, ko, magic)
}

// repositoryRows are about what the module has to prove.
func repositoryRows(t *testing.T, r *rig) []row {
	good := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	swapped := func(_ *testing.T, m *moduletest.Repository) {
		path := m.Index.Modules[0].Path
		m.Files[path] = bytes.Replace(m.Files[path], []byte("min_num_slots"), []byte("min_num_slotz"), 1)
	}
	unsigned := func(_ *testing.T, m *moduletest.Repository) { delete(m.Files, module.SignatureName) }
	return []row{
		{name: "signed by another", module: good, reason: outcome.SignatureInvalid, spoil: func(t *testing.T, m *moduletest.Repository) {
			m.PublicKey = moduletest.NewRepository(t).PublicKey
		}},
		{name: "index changed", module: good, reason: outcome.SignatureInvalid, spoil: func(_ *testing.T, m *moduletest.Repository) {
			m.Files[module.IndexName] = append(m.Files[module.IndexName], ' ')
		}},
		{name: "not signed", module: good, reason: outcome.SourceUnsigned, spoil: unsigned},
		{name: "no key", module: good, reason: outcome.SourceUnsigned, spoil: func(_ *testing.T, m *moduletest.Repository) { m.PublicKey = "" }},
		{name: "not signed by consent", module: good, reason: outcome.Loaded, live: true, spoil: unsigned, flags: []string{"--source-verify=checksum"}},
		{name: "swapped", module: good, reason: outcome.DigestMismatch, spoil: swapped},
		{name: "swapped and only summed", module: good, reason: outcome.DigestMismatch, spoil: swapped, flags: []string{"--source-verify=checksum"}},
		{name: "no such version", module: good, reason: outcome.NoModuleForKernel, flags: []string{"--source-version=9.9.9"}},
	}
}

// parameterRows are about parameters and the module's own start.
func parameterRows(t *testing.T, r *rig) []row {
	good := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	with := func(p string) []string { return []string{"--parameters=" + p} }
	return []row{
		{name: "unknown parameter", module: good, flags: with("min_num_slots=8192 no_such=1"), errno: "0", reason: outcome.Loaded, live: true, logs: "no_such"},
		{name: "parameter without number", module: good, flags: with("min_num_slots=many"), errno: "EINVAL", reason: outcome.BadParameter, says: "min_num_slots=many"},
		{name: "parameter beyond 32 bits", module: good, flags: with("min_num_slots=4294967296"), errno: "ERANGE", reason: outcome.BadParameter},
		{name: "quoted parameter", module: good, flags: with(`min_num_slots="1`), reason: outcome.BadParameter},
		{name: "init fails", module: good, flags: with("test_errno=6"), errno: "ENXIO", reason: outcome.InitFailed, says: "ENXIO"},
		{name: "init fails with EINVAL", module: good, flags: with("test_errno=22"), errno: "EINVAL", reason: outcome.InitFailed, blindReason: outcome.SymbolMismatch},
		{name: "init fails with ENOENT", module: good, flags: with("test_errno=2"), errno: "ENOENT", reason: outcome.InitFailed, blindReason: outcome.SymbolMismatch},
		{name: "loaded and silent", module: good, flags: with("test_no_info=1"), errno: "0", reason: outcome.NotUsable, live: true},
	}
}
