package moduletest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// builder lays out a relocatable ELF file: header, section bodies, section
// names, section headers.
type builder struct {
	headers []elf.Section64
	body    []byte
	names   []byte
}

func (b *builder) section(name string, kind elf.SectionType, data []byte) {
	h := elf.Section64{Type: uint32(kind), Off: 64 + uint64(len(b.body)), Size: uint64(len(data)), Addralign: 1}
	if name != "" {
		h.Name = uint32(len(b.names)) //nolint:gosec // a few names
		b.names = append(append(b.names, name...), 0)
	}
	if kind == elf.SHT_NULL {
		h = elf.Section64{}
	}
	if kind == elf.SHT_NOBITS {
		h.Size = 1 << 40 // takes no bytes in the file, however large
	}
	b.body = append(b.body, data...)
	b.headers = append(b.headers, h)
}

func (b *builder) finish(k KO) []byte {
	b.section(".shstrtab", elf.SHT_STRTAB, nil)
	last := &b.headers[len(b.headers)-1]
	last.Size = uint64(len(b.names))
	b.body = append(b.body, b.names...)
	for len(b.body)%8 != 0 {
		b.body = append(b.body, 0)
	}
	h := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(k.Class), byte(k.Data), byte(elf.EV_CURRENT)},
		Type:  uint16(k.Type), Machine: uint16(k.Machine), Version: uint32(elf.EV_CURRENT),
		Shoff: 64 + uint64(len(b.body)), Ehsize: 64, Shentsize: 64,
		Shnum: uint16(len(b.headers)), Shstrndx: uint16(len(b.headers) - 1), //nolint:gosec // a few sections
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if k.Data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	var out bytes.Buffer
	for _, part := range []any{h, b.body, b.headers} {
		if err := binary.Write(&out, order, part); err != nil {
			panic(err) // fixed-size values into memory: cannot happen
		}
	}
	return out.Bytes()
}
