package module

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/magic"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Sizes in bytes of what a 64-bit ELF file is made of.
const (
	elfHeaderSize     = 64
	sectionHeaderSize = 64
)

// goarch maps ELF machines to GOARCH names.
func goarch(machine elf.Machine) string {
	switch machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_PPC64:
		return "ppc64le"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_LOONGARCH:
		return "loong64"
	default:
		return strings.ToLower(strings.TrimPrefix(machine.String(), "EM_"))
	}
}

// sections are the parts of a relocatable 64-bit little-endian ELF file, by
// name; the slices share the file's memory.
type sections map[string][]byte

// wanted are the sections that tell about a module. Only these are kept, so
// that a file with thousands costs nothing.
func wanted(name string) bool {
	return name == ".modinfo" || name == "__versions" || name == ".gnu.linkonce.this_module"
}

// parseELF checks the header and finds the wanted sections. It reads the file
// as the kernel does and with the same bounds, so that what is cut short here
// is what the kernel would refuse.
func parseELF(data []byte) (elf.Machine, sections, error) {
	machine, err := parseHeader(data)
	if err != nil {
		return 0, nil, err
	}
	le := binary.LittleEndian
	table, size, count := le.Uint64(data[40:]), le.Uint16(data[58:]), uint64(le.Uint16(data[60:]))
	if size != sectionHeaderSize || count == 0 {
		return 0, nil, notAModule(fmt.Sprintf("it has %d section headers of %d bytes", count, size))
	}
	headers, ok := slice(data, table, count*sectionHeaderSize)
	if !ok {
		return 0, nil, truncated(fmt.Sprintf("its %d section headers at byte %d lie beyond its end at byte %d", count, table, len(data)))
	}
	names := uint64(le.Uint16(data[62:]))
	if names >= count {
		return 0, nil, notAModule("it has no section names")
	}
	found, err := readSections(data, headers, headers[names*sectionHeaderSize:])
	return machine, found, err
}

func parseHeader(data []byte) (elf.Machine, error) {
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		if known := magic.Known(data); known != "" {
			return 0, notAModule("it does not begin like an ELF file but like " + known)
		}
		return 0, notAModule("it does not begin like an ELF file but with " + opening(data))
	}
	if len(data) < elfHeaderSize {
		return 0, truncated(fmt.Sprintf("it has %d bytes, fewer than an ELF header", len(data)))
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(data[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	machine := elf.Machine(order.Uint16(data[18:]))
	if elf.Class(data[elf.EI_CLASS]) != elf.ELFCLASS64 || order == binary.ByteOrder(binary.BigEndian) {
		return 0, &Error{
			Reason: outcome.WrongArch, What: "read the module",
			Why: fmt.Sprintf("it was built for %s, %s, %s; nodes are 64-bit little-endian", goarch(machine),
				elf.Class(data[elf.EI_CLASS]), elf.Data(data[elf.EI_DATA])),
		}
	}
	if kind := elf.Type(order.Uint16(data[16:])); kind != elf.ET_REL {
		return 0, notAModule(fmt.Sprintf("it is an ELF file of type %s; a module is ET_REL", kind))
	}
	return machine, nil
}

func readSections(data, headers, namesHeader []byte) (sections, error) {
	names, ok := sectionData(data, namesHeader)
	if !ok {
		return nil, truncated("its section names lie beyond its end")
	}
	found := sections{}
	for ; len(headers) >= sectionHeaderSize; headers = headers[sectionHeaderSize:] {
		name := cstring(names, uint64(binary.LittleEndian.Uint32(headers)))
		body, ok := sectionData(data, headers)
		if !ok {
			return nil, truncated(fmt.Sprintf("its section %q lies beyond its end at byte %d", printable(name), len(data)))
		}
		if wanted(name) && found[name] == nil {
			found[name] = body
		}
	}
	return found, nil
}

// sectionData returns the body of the section with this header; false when it
// lies beyond the file's end. A section without bytes in the file has none.
func sectionData(data, header []byte) ([]byte, bool) {
	le := binary.LittleEndian
	kind := elf.SectionType(le.Uint32(header[4:]))
	if kind == elf.SHT_NOBITS || kind == elf.SHT_NULL {
		return nil, true
	}
	return slice(data, le.Uint64(header[24:]), le.Uint64(header[32:]))
}

// slice is data[offset:offset+size] with bounds checked.
func slice(data []byte, offset, size uint64) ([]byte, bool) {
	n := uint64(len(data))
	if offset > n || size > n-offset {
		return nil, false
	}
	return data[offset : offset+size], true
}

// cstring is the NUL-terminated text at offset, or "" out of bounds. It reads
// no more than any name here has, so that a file whose many sections share one
// endless name takes no longer than others.
func cstring(data []byte, offset uint64) string {
	if offset >= uint64(len(data)) {
		return ""
	}
	const longest = 256
	rest := data[offset:]
	rest = rest[:min(len(rest), longest)]
	if end := bytes.IndexByte(rest, 0); end >= 0 {
		rest = rest[:end]
	}
	return string(rest)
}

func opening(data []byte) string {
	if len(data) == 0 {
		return "nothing: it is empty"
	}
	return fmt.Sprintf("%q", data[:min(len(data), 24)])
}

func notAModule(why string) error {
	return &Error{Reason: outcome.NotAModule, What: "read the module", Why: why}
}

func truncated(why string) error {
	return &Error{Reason: outcome.Truncated, What: "read the module", Why: why}
}
