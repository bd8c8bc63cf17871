package vm_test

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"
)

// section returns a copy of a module and, within that, a section of it.
func section(t *testing.T, ko []byte, name string) (changed, part []byte) {
	t.Helper()
	changed = slices.Clone(ko)
	f, err := elf.NewFile(bytes.NewReader(ko))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Section(name)
	if s == nil {
		t.Fatalf("the module has no section %s", name)
	}
	return changed, changed[s.Offset : s.Offset+s.FileSize]
}

// withVermagic writes another version magic over the module's own, which is not
// shorter.
func withVermagic(t *testing.T, ko []byte, vermagic string) []byte {
	t.Helper()
	changed, info := section(t, ko, ".modinfo")
	field := []byte("\x00vermagic=")
	at := bytes.Index(info, field) + len(field)
	length := bytes.IndexByte(info[at:], 0)
	if at < len(field) || length < len(vermagic) {
		t.Fatalf("no room for vermagic %q in %q", vermagic, info)
	}
	copy(info[at:], vermagic+strings.Repeat("\x00", length-len(vermagic)))
	return changed
}

// vermagic is the module's own.
func vermagic(t *testing.T, ko []byte) string {
	t.Helper()
	_, info := section(t, ko, ".modinfo")
	_, rest, _ := strings.Cut(string(info), "\x00vermagic=")
	own, _, _ := strings.Cut(rest, "\x00")
	return own
}

// withWrongCRC changes the version of a symbol that the module asks for.
func withWrongCRC(t *testing.T, ko []byte, symbol string) []byte {
	t.Helper()
	changed, versions := section(t, ko, "__versions")
	const record, number = 64, 8
	for ; len(versions) >= record; versions = versions[record:] {
		if name, _, _ := strings.Cut(string(versions[number:record]), "\x00"); name == symbol {
			versions[0] ^= 0xff
			return changed
		}
	}
	t.Fatalf("the module does not use the symbol %s", symbol)
	return nil
}
