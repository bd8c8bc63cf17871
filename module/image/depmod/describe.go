package depmod

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Module is what the index says of one module.
type Module struct {
	// Path is relative to lib/modules/RELEASE, with slashes.
	Path string
	// Name is the kernel's name, with "_" for "-".
	Name string
	// Depends are the names of modules that must be loaded right before it.
	Depends []string
	Aliases []string
	// Softdeps are lines such as "pre: crc32c", as in modinfo.
	Softdeps []string
	// Exports are the symbols that others can use, sorted.
	Exports []string
}

// Describe reads a module that is not compressed. Whether it is a good one,
// package module has to tell before.
func Describe(path string, data []byte) (Module, error) {
	m := Module{Path: path, Name: moduleName(path)}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return m, fmt.Errorf("cannot read %s: %w", path, err)
	}
	section := file.Section(".modinfo")
	if section == nil {
		return m, fmt.Errorf("cannot read %s: it has no section .modinfo", path)
	}
	info, err := section.Data()
	if err != nil {
		return m, fmt.Errorf("cannot read %s: %w", path, err)
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "depends":
			m.Depends = append(m.Depends, names(value)...)
		case "alias":
			m.Aliases = append(m.Aliases, value)
		case "softdep":
			m.Softdeps = append(m.Softdeps, value)
		}
	}
	m.Exports = exports(file)
	return m, nil
}

// names splits modinfo's list of modules.
func names(list string) []string {
	var out []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, underscores(name))
		}
	}
	return out
}

// exports lists the symbols that the linker has put into the table of exports;
// each has an entry of its own there, named after it.
func exports(file *elf.File) []string {
	symbols, err := file.Symbols()
	if err != nil {
		return nil // stripped of all symbols: it exports none that could be found
	}
	var out []string
	for _, s := range symbols {
		if name, ok := strings.CutPrefix(s.Name, "__ksymtab_"); ok && s.Section != elf.SHN_UNDEF {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// moduleName is the kernel's name of the module in a file.
func moduleName(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ := strings.Cut(base, ".ko")
	return underscores(name)
}

// underscores is how modules are named in the kernel: foo-bar is foo_bar.
func underscores(name string) string { return strings.ReplaceAll(name, "-", "_") }

// normalAlias writes an alias as modprobe looks it up: "-" is "_", but not
// within brackets, where it is a range.
func normalAlias(alias string) string {
	out, inside := []byte(alias), false
	for i, c := range out {
		switch {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == '-' && !inside:
			out[i] = '_'
		}
	}
	return string(out)
}
