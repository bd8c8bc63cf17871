package module

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Inspect reads what a module that is not compressed says about itself. It
// fails with *Error: not-a-module, truncated, or wrong-arch for a file that is
// not 64-bit little-endian. It takes any bytes, holds no more than a small
// multiple of them, and keeps no reference to data.
func Inspect(data []byte) (Info, error) {
	machine, found, err := parseELF(data)
	if err != nil {
		return Info{}, err
	}
	if found[".modinfo"] == nil {
		return Info{}, notAModule("it is an ELF object without a .modinfo section")
	}
	info := parseModinfo(found[".modinfo"])
	info.Arch = goarch(machine)
	info.Size = int64(len(data))
	if info.Name == "" {
		info.Name = structName(found[".gnu.linkonce.this_module"], machine)
	}
	info.KernelRelease, _, _ = strings.Cut(info.Vermagic, " ")
	info.Symbols = parseVersions(found["__versions"])
	info.Signed, info.Signer = signature(data)
	if info.Name == "" && info.Vermagic == "" {
		return Info{}, notAModule("its .modinfo names neither module nor kernel")
	}
	return info, nil
}

// structName reads the name out of struct module, where kernels before 4.18,
// whose build wrote no name into modinfo, have it.
func structName(module []byte, machine elf.Machine) string {
	// enum state, padding, struct list_head, then char name[56].
	const offset, size = 24, 56
	if len(module) < offset+size || (machine != elf.EM_X86_64 && machine != elf.EM_AARCH64) {
		return ""
	}
	return printable(cstring(module[:offset+size], offset))
}

// parseVersions reads __versions: records of a checksum and a name.
func parseVersions(data []byte) []Symbol {
	const record = 64
	symbols := make([]Symbol, 0, len(data)/record)
	for ; len(data) >= record; data = data[record:] {
		name := cstring(data[:record], 8)
		if name == "" {
			continue
		}
		symbols = append(symbols, Symbol{Name: printable(name), CRC: binary.LittleEndian.Uint32(data)})
	}
	return symbols
}

// parseModinfo reads .modinfo: NUL-terminated texts of the form key=value.
func parseModinfo(data []byte) Info {
	info := Info{Depends: []string{}, Aliases: []string{}, Parameters: []Parameter{}}
	parameters := map[string]int{}
	parameter := func(name string) *Parameter {
		n, ok := parameters[name]
		if !ok {
			n = len(info.Parameters)
			parameters[name] = n
			info.Parameters = append(info.Parameters, Parameter{Name: name})
		}
		return &info.Parameters[n]
	}
	for field := range bytes.SplitSeq(data, []byte{0}) {
		key, value, ok := strings.Cut(printable(string(field)), "=")
		if !ok {
			continue
		}
		switch key {
		case "parm", "parmtype":
			name, text, _ := strings.Cut(value, ":")
			if key == "parm" {
				parameter(name).Description = text
			} else {
				parameter(name).Type = text
			}
		default:
			info.set(key, value)
		}
	}
	return info
}

func (i *Info) set(key, value string) {
	switch key {
	case "name":
		i.Name = value
	case "version":
		i.Version = value
	case "srcversion":
		i.SrcVersion = value
	case "vermagic":
		i.Vermagic = value
	case "license":
		i.License = value
	case "description":
		i.Description = value
	case "author":
		i.Author = value
	case "intree":
		i.InTree = value == "Y"
	case "retpoline":
		i.Retpoline = value == "Y"
	case "rhelversion":
		i.RHELVersion = value
	case "alias":
		i.Aliases = append(i.Aliases, value)
	case "depends":
		i.Depends = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
	}
}

// printable replaces what could move a terminal's cursor or break a log line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// Check tells whether the module is the one called name and was built for the
// kernel release and GOARCH: reasons wrong-module, wrong-arch, wrong-kernel. An
// empty argument is not checked. The kernel's own test is laxer: where symbol
// versions fit, it takes a module of another release.
func (i Info) Check(kernel, arch, name string) error {
	refuse := func(reason outcome.Reason, format string, args ...any) error {
		return &Error{Reason: reason, What: "use the module", Why: fmt.Sprintf(format, args...)}
	}
	dashless := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	switch {
	case name != "" && dashless(i.Name) != dashless(name):
		return refuse(outcome.WrongModule, "it is the module %.100q, not %s", i.Name, name)
	case arch != "" && i.Arch != arch:
		return refuse(outcome.WrongArch, "it was built for %s, the node is %s", i.Arch, arch)
	case kernel != "" && i.KernelRelease != kernel:
		return refuse(outcome.WrongKernel, "it was built for kernel %.100q, the node runs %q", i.KernelRelease, kernel)
	}
	return nil
}
