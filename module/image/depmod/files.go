package depmod

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Names of the files that Files writes.
const (
	DepName          = "modules.dep"
	aliasName        = "modules.alias"
	symbolsName      = "modules.symbols"
	softdepName      = "modules.softdep"
	builtinBinName   = "modules.builtin.bin"
	builtinAliasName = "modules.builtin.alias.bin"
)

// Kernel is what belongs to a kernel besides its module files. A folder of
// modules from elsewhere has none of it.
type Kernel struct {
	// Order lists paths as in modules.order: where an alias names several
	// modules, the first comes first. Modules that are not in it come last.
	Order []string
	// Builtin are the paths in modules.builtin.
	Builtin []string
	// BuiltinAliases are alias and module name of what is built in.
	BuiltinAliases [][2]string
}

// Files returns the index files for the folder lib/modules/RELEASE, by name. It
// fails when modules need each other in a circle or two have the same name. A
// module that needs one which is not there is indexed without: it may be built
// into the kernel, or be in another folder.
func Files(modules []Module, kernel Kernel) (map[string][]byte, error) {
	list := inOrder(modules, kernel.Order)
	deps, err := resolve(list)
	if err != nil {
		return nil, err
	}
	w := writer{files: map[string][]byte{}}
	w.dep(list, deps)
	w.aliases(list)
	w.symbols(list)
	w.softdeps(list)
	w.builtin(kernel)
	return w.files, w.err
}

// inOrder sorts modules as order says, the rest by path.
func inOrder(modules []Module, order []string) []Module {
	rank := make(map[string]int, len(order))
	for i, path := range order {
		rank[path] = i
	}
	at := func(m Module) int {
		// modules.order has the names before compression.
		path, _, _ := strings.Cut(m.Path, ".ko")
		if i, ok := rank[path+".ko"]; ok {
			return i
		}
		return len(order)
	}
	list := slices.Clone(modules)
	slices.SortFunc(list, func(a, b Module) int { return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Path, b.Path)) })
	return list
}

type writer struct {
	files map[string][]byte
	err   error // the first
}

func (w *writer) put(name string, t *trie) {
	data, err := t.bytes()
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("cannot write %s: %w", name, err)
	}
	w.files[name] = data
}

func (w *writer) add(t *trie, key, value string, priority int) {
	if err := t.add(key, value, uint32(priority)); err != nil && w.err == nil {
		w.err = err
	}
}

func (w *writer) dep(list []Module, deps [][]string) {
	var text bytes.Buffer
	var t trie
	for i, m := range list {
		line := m.Path + ":"
		for _, path := range deps[i] {
			line += " " + path
		}
		text.WriteString(line + "\n")
		w.add(&t, m.Name, line, i)
	}
	w.files[DepName] = text.Bytes()
	w.put(DepName+".bin", &t)
}

func (w *writer) aliases(list []Module) {
	text := bytes.NewBufferString("# Aliases extracted from modules themselves.\n")
	var t trie
	for i, m := range list {
		for _, alias := range m.Aliases {
			alias = normalAlias(alias)
			fmt.Fprintf(text, "alias %s %s\n", alias, m.Name)
			w.add(&t, alias, m.Name, i)
		}
	}
	w.files[aliasName] = text.Bytes()
	w.put(aliasName+".bin", &t)
}

func (w *writer) symbols(list []Module) {
	text := bytes.NewBufferString("# Aliases for symbols, used by symbol_request().\n")
	var t trie
	for i, m := range list {
		for _, symbol := range m.Exports {
			fmt.Fprintf(text, "alias symbol:%s %s\n", symbol, m.Name)
			w.add(&t, "symbol:"+symbol, m.Name, i)
		}
	}
	w.files[symbolsName] = text.Bytes()
	w.put(symbolsName+".bin", &t)
}

func (w *writer) softdeps(list []Module) {
	text := bytes.NewBufferString("# Soft dependencies extracted from modules themselves.\n")
	for _, m := range list {
		for _, line := range m.Softdeps {
			if strings.ContainsFunc(line, unicode.IsControl) && w.err == nil {
				// modprobe reads this file as configuration, which has commands.
				w.err = fmt.Errorf("%s: the soft dependency %q has control characters", m.Path, line)
			}
			fmt.Fprintf(text, "softdep %s %s\n", m.Name, line)
		}
	}
	w.files[softdepName] = text.Bytes()
}

func (w *writer) builtin(kernel Kernel) {
	var names, aliases trie
	for i, path := range kernel.Builtin {
		w.add(&names, moduleName(path), "", i)
	}
	for i, pair := range kernel.BuiltinAliases {
		w.add(&aliases, normalAlias(pair[0]), pair[1], i)
	}
	w.put(builtinBinName, &names)
	w.put(builtinAliasName, &aliases)
}
