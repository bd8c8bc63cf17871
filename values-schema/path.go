package valuesschema

import (
	"strconv"
	"strings"
)

// Path leads to a value: map keys as strings, list indices as ints.
type Path []any

// ParsePath splits a dotted path of plain keys, such as tap.kernelModule.mode.
func ParsePath(dotted string) Path {
	var p Path
	for part := range strings.SplitSeq(dotted, ".") {
		p = append(p, part)
	}
	return p
}

// String writes the path as people do: tap.kernelModule.kernelMappings[0].literal.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if strings.ContainsAny(step, ".[]\" ") || step == "" {
				b.WriteString("[" + strconv.Quote(step) + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// key is a form of the path that is unique, for maps.
func (p Path) key() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			b.WriteString("\x00#" + strconv.Itoa(step))
		case string:
			b.WriteString("\x00." + step)
		}
	}
	return b.String()
}

// With returns p with further steps; p itself is left as it is.
func (p Path) With(steps ...any) Path {
	return append(p[:len(p):len(p)], steps...)
}

func (p Path) hasPrefix(prefix Path) bool {
	if len(p) < len(prefix) {
		return false
	}
	for i, step := range prefix {
		if p[i] != step {
			return false
		}
	}
	return true
}

// lookup returns the value at path in a tree of maps and lists.
func lookup(tree any, path Path) (any, bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := tree.(map[string]any)
			if !ok {
				return nil, false
			}
			if tree, ok = m[step]; !ok {
				return nil, false
			}
		case int:
			list, ok := tree.([]any)
			if !ok || step < 0 || step >= len(list) {
				return nil, false
			}
			tree = list[step]
		}
	}
	return tree, true
}
