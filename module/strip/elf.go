package strip

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes in bytes of what a 64-bit ELF file is made of.
const (
	headerSize = 64
	symbolSize = 24
	relaSize   = 24
	relSize    = 16
)

// maxAlign bounds a section's alignment, in bytes: a page of the largest size
// that the kernels of these architectures use. maxGrowth bounds what alignment
// may add to a file that was laid out more tightly.
const (
	maxAlign  = 64 << 10
	maxGrowth = 1 << 20
)

// file is a relocatable ELF file taken apart. Its sections share the memory of
// the file that was read until they are rewritten.
type file struct {
	header   elf.Header64
	sections []section
	size     int // of the file that was read, in bytes
}

type section struct {
	elf.Section64
	name string
	data []byte
	gone bool
}

var le = binary.LittleEndian

// read takes apart what package module has found to be a module: 64-bit,
// little-endian, ET_REL, with sections that lie within the file.
func read(ko []byte) (*file, error) {
	f := &file{size: len(ko)}
	if err := binary.Read(bytes.NewReader(ko), le, &f.header); err != nil {
		return nil, err
	}
	headers := make([]elf.Section64, f.header.Shnum)
	if f.header.Shoff > uint64(len(ko)) {
		return nil, errors.New("its section headers lie beyond its end")
	}
	if err := binary.Read(bytes.NewReader(ko[f.header.Shoff:]), le, headers); err != nil {
		return nil, err
	}
	for _, h := range headers {
		s := section{Section64: h}
		if kind := elf.SectionType(h.Type); kind != elf.SHT_NOBITS && kind != elf.SHT_NULL {
			if h.Off > uint64(len(ko)) || h.Size > uint64(len(ko))-h.Off {
				return nil, errors.New("a section lies beyond its end")
			}
			s.data = ko[h.Off : h.Off+h.Size]
		}
		if h.Addralign > maxAlign || h.Addralign&(h.Addralign-1) != 0 {
			return nil, fmt.Errorf("a section has the alignment %d", h.Addralign)
		}
		f.sections = append(f.sections, s)
	}
	if int(f.header.Shstrndx) >= len(f.sections) {
		return nil, errors.New("it has no section names")
	}
	names := f.sections[f.header.Shstrndx].data
	for i := range f.sections {
		s := &f.sections[i]
		if at := uint64(s.Name); at < uint64(len(names)) {
			name, _, _ := bytes.Cut(names[at:], []byte{0})
			s.name = string(name)
		}
	}
	return f, nil
}

// mark finds the sections that go: debug information, which is never loaded, and
// the relocations of it. It returns false when there is none.
func (f *file) mark() bool {
	found := false
	for i := range f.sections {
		s := &f.sections[i]
		s.gone = isDebug(s.name) && s.Flags&uint64(elf.SHF_ALLOC) == 0 && s.kind() != elf.SHT_NULL
		found = found || s.gone
	}
	for i := range f.sections {
		s := &f.sections[i]
		if s.relocates() && uint64(s.Info) < uint64(len(f.sections)) && s.Info != 0 && f.sections[s.Info].gone {
			s.gone = true
		}
	}
	return found
}

func (s *section) kind() elf.SectionType { return elf.SectionType(s.Type) }

func (s *section) relocates() bool { return s.kind() == elf.SHT_RELA || s.kind() == elf.SHT_REL }

// numbering maps old numbers to new ones; what is gone has none.
type numbering map[uint32]uint32

func (n numbering) of(old uint32, what string) (uint32, error) {
	number, ok := n[old]
	if !ok {
		return 0, fmt.Errorf("%s %d is required and belongs to the debug information", what, old)
	}
	return number, nil
}

// rewrite takes out the sections that are gone and everything that refers to
// them.
func (f *file) rewrite() error {
	sections := numbering{}
	for i, s := range f.sections {
		if !s.gone {
			sections[uint32(i)] = uint32(len(sections)) //nolint:gosec // at most 65535
		}
	}
	symbols, table, err := f.symbols(sections)
	if err != nil {
		return err
	}
	kept := make([]section, 0, len(sections))
	for _, s := range f.sections {
		if s.gone {
			continue
		}
		switch {
		case s.relocates() && table != 0 && s.Link == table:
			err = s.renumber(symbols)
		case s.kind() == elf.SHT_GROUP:
			err = s.regroup(sections, symbols)
		case s.kind() == elf.SHT_SYMTAB_SHNDX:
			err = errors.New("it has more sections than a symbol can name")
		}
		if err == nil {
			err = s.relink(sections)
		}
		if err != nil {
			return fmt.Errorf("section %q: %w", s.name, err)
		}
		kept = append(kept, s)
	}
	names, err := sections.of(uint32(f.header.Shstrndx), "section")
	if err != nil {
		return err
	}
	f.header.Shstrndx, f.header.Shnum = uint16(names), uint16(len(kept)) //nolint:gosec // no more than before
	f.sections = kept
	return nil
}

// symbols takes out of the symbol table what belongs to sections that are gone,
// and the names of source files. It returns the numbers that are left and the
// table's own as a section; 0 when there is none.
func (f *file) symbols(sections numbering) (numbering, uint32, error) {
	numbers, table := numbering{}, uint32(0)
	for i := range f.sections {
		s := &f.sections[i]
		if s.kind() != elf.SHT_SYMTAB {
			continue
		}
		if table != 0 || len(s.data)%symbolSize != 0 {
			return nil, 0, errors.New("its symbol table is damaged")
		}
		table = uint32(i)
		out := make([]byte, 0, len(s.data))
		locals := uint32(0)
		for n := range uint32(len(s.data) / symbolSize) { //nolint:gosec // a file's size
			symbol := bytes.Clone(s.data[n*symbolSize : (n+1)*symbolSize])
			at := le.Uint16(symbol[6:])
			if at != uint16(elf.SHN_UNDEF) && at < uint16(elf.SHN_LORESERVE) {
				number, there := sections[uint32(at)]
				if !there {
					continue
				}
				le.PutUint16(symbol[6:], uint16(number)) //nolint:gosec // no more than before
			}
			if elf.ST_TYPE(symbol[4]) == elf.STT_FILE {
				continue
			}
			numbers[n] = uint32(len(out) / symbolSize) //nolint:gosec // no more than before
			out = append(out, symbol...)
			if n < s.Info {
				locals++
			}
		}
		s.data, s.Info = out, locals
	}
	return numbers, table, nil
}

// renumber gives relocations the symbols' new numbers.
func (s *section) renumber(symbols numbering) error {
	size := relaSize
	if s.kind() == elf.SHT_REL {
		size = relSize
	}
	if len(s.data)%size != 0 {
		return errors.New("it is truncated")
	}
	s.data = bytes.Clone(s.data)
	for at := 0; at < len(s.data); at += size {
		info := s.data[at+8 : at+16]
		number, err := symbols.of(le.Uint32(info[4:]), "symbol")
		if err != nil {
			return err
		}
		le.PutUint32(info[4:], number)
	}
	return nil
}

// regroup gives a group its members' new numbers, without those that are gone.
func (s *section) regroup(sections, symbols numbering) error {
	if len(s.data)%4 != 0 || len(s.data) < 4 {
		return errors.New("it is truncated")
	}
	out := bytes.Clone(s.data[:4])
	for at := 4; at < len(s.data); at += 4 {
		if number, there := sections[le.Uint32(s.data[at:])]; there {
			out = le.AppendUint32(out, number)
		}
	}
	s.data = out
	signature, err := symbols.of(s.Info, "symbol")
	s.Info = signature
	return err
}

// relink gives the section the new numbers of those that it names.
func (s *section) relink(sections numbering) (err error) {
	if s.kind() == elf.SHT_NULL {
		return nil
	}
	if s.Link, err = sections.of(s.Link, "section"); err != nil {
		return err
	}
	if s.relocates() || s.Flags&uint64(elf.SHF_INFO_LINK) != 0 {
		s.Info, err = sections.of(s.Info, "section")
	}
	return err
}

// write lays the file out: header, sections in their order, section headers.
func (f *file) write() ([]byte, error) {
	out := make([]byte, headerSize)
	headers := make([]elf.Section64, len(f.sections))
	for i := range f.sections {
		s := &f.sections[i]
		if s.kind() != elf.SHT_NULL {
			out = pad(out, int(max(s.Addralign, 1))) //nolint:gosec // at most maxAlign
			s.Off = uint64(len(out))
		}
		if s.kind() != elf.SHT_NOBITS && s.kind() != elf.SHT_NULL {
			s.Size = uint64(len(s.data))
			out = append(out, s.data...)
		}
		headers[i] = s.Section64
		if len(out) > f.size+maxGrowth {
			return nil, errors.New("its sections have alignments that a module does not have")
		}
	}
	out = pad(out, 8)
	f.header.Shoff = uint64(len(out))
	var tail, head bytes.Buffer
	// Values of fixed size, into memory: neither can fail.
	_ = binary.Write(&tail, le, headers)
	_ = binary.Write(&head, le, f.header)
	copy(out, head.Bytes())
	return append(out, tail.Bytes()...), nil
}

func pad(out []byte, align int) []byte {
	for len(out)%align != 0 {
		out = append(out, 0)
	}
	return out
}
