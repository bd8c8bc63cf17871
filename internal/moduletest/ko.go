// Package moduletest makes kernel module files and repositories for tests: ELF
// objects that say about themselves what a test wants, compressed, indexed and
// signed. No kernel would load them, since they hold no code; for that the
// tests in a VM build real ones. Only tests import it.
package moduletest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Kernel is the kernel release of a KO that names none.
const Kernel = "6.1.0-18-cloud-amd64"

// KO says what a module file shall say about itself. The zero value is
// pf_ring 8.9.0 for Kernel on amd64.
type KO struct {
	// Name, Version and Kernel have defaults; "-" leaves the field out.
	Name, Version, Kernel string
	// StructName is the name in struct module, by default Name.
	StructName string
	// Arch is amd64 (default) or arm64.
	Arch string
	// Flags follow the release in vermagic.
	Flags string
	// Fields are further modinfo fields, key=value.
	Fields []string
	// Symbols are written to __versions, with their position as checksum.
	Symbols []string
	// Padding is a section of so many bytes that do not compress well.
	Padding int
	// Signature is appended as a kernel module signature, if not nil.
	Signature []byte
	// Machine, Class, Data and Type override the ELF header's.
	Machine elf.Machine
	Class   elf.Class
	Data    elf.Data
	Type    elf.Type
}

// Bytes is the file.
func (k KO) Bytes() []byte {
	k.setDefaults()
	b := builder{names: []byte{0}}
	b.section("", elf.SHT_NULL, nil)
	b.section(".modinfo", elf.SHT_PROGBITS, k.modinfo())
	b.section(".gnu.linkonce.this_module", elf.SHT_PROGBITS, k.thisModule())
	if len(k.Symbols) > 0 {
		b.section("__versions", elf.SHT_PROGBITS, k.versions())
	}
	b.section(".bss", elf.SHT_NOBITS, nil)
	if k.Padding > 0 {
		b.section(".data", elf.SHT_PROGBITS, noise(k.Padding))
	}
	file := b.finish(k)
	if k.Signature != nil {
		file = appendSignature(file, k.Signature)
	}
	return file
}

func (k *KO) setDefaults() {
	or := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	or(&k.Name, "pf_ring")
	or(&k.StructName, k.Name)
	or(&k.Version, "8.9.0")
	or(&k.Kernel, Kernel)
	or(&k.Arch, "amd64")
	or(&k.Flags, "SMP preempt mod_unload modversions ")
	if k.Machine == 0 {
		k.Machine = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[k.Arch]
	}
	if k.Class == 0 {
		k.Class = elf.ELFCLASS64
	}
	if k.Data == 0 {
		k.Data = elf.ELFDATA2LSB
	}
	if k.Type == 0 {
		k.Type = elf.ET_REL
	}
}

func (k *KO) modinfo() []byte {
	fields := []string{"license=GPL", "alias=net-pf-27", "depends="}
	add := func(key, value, suffix string) {
		if value != "-" {
			fields = append(fields, key+"="+value+suffix)
		}
	}
	add("version", k.Version, "")
	add("name", k.Name, "")
	add("vermagic", k.Kernel, " "+k.Flags)
	fields = append(fields, k.Fields...)
	return []byte(strings.Join(fields, "\x00") + "\x00")
}

func (k *KO) thisModule() []byte {
	m := make([]byte, 1024)
	copy(m[24:80], k.StructName)
	return m
}

func (k *KO) versions() []byte {
	out := make([]byte, 64*len(k.Symbols))
	for i, name := range k.Symbols {
		binary.LittleEndian.PutUint64(out[64*i:], uint64(i+1))
		copy(out[64*i+8:64*i+63], name)
	}
	return out
}

// noise is the same each time and does not compress.
func noise(n int) []byte {
	out := make([]byte, n)
	state := uint64(0x9e3779b97f4a7c15)
	for i := range out {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		out[i] = byte(state & 0xff)
	}
	return out
}

func appendSignature(file, signature []byte) []byte {
	head := make([]byte, 12)
	head[2] = 2                                                  // PKCS #7
	binary.BigEndian.PutUint32(head[8:], uint32(len(signature))) //nolint:gosec // a small one
	return bytes.Join([][]byte{file, signature, head, []byte("~Module signature appended~\n")}, nil)
}
