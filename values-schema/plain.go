package valuesschema

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// plainValues makes the values of the node tree, without a second look at the text, for
// a file in which the library that made the tree and Helm's cannot differ: block
// collections of scalars that stand on one line each, in printable ASCII, without
// anchors, tags and escapes. Any other file, such as one with a key that may be a
// number, is left to Helm's library: false.
//
// It is for large files, most of whose time that library took.
func plainValues(data []byte, root *yaml3.Node) (map[string]any, bool) {
	if bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') || r == '\\' || r == '%' }) {
		return nil, false
	}
	scalars, ok := decodeScalars(root)
	if !ok {
		return nil, false
	}
	r := &plainReader{lines: bytes.Split(data, []byte("\n")), scalars: scalars}
	v, ok := r.value(root)
	values, is := v.(map[string]any)
	return values, ok && is
}

// decodeScalars returns what Helm's library makes of each scalar that may be more than
// text. It decodes all of them at once: one at a time, a hundred thousand numbers
// took more than half of the time of the file.
func decodeScalars(root *yaml3.Node) (scalars map[string]any, ok bool) {
	scalars = map[string]any{}
	var text []byte
	var names []string
	var gather func(n *yaml3.Node)
	gather = func(n *yaml3.Node) {
		for _, child := range n.Content {
			gather(child)
		}
		if n.Kind != yaml3.ScalarNode || n.Style != 0 || isText(n.Value) {
			return
		}
		if _, known := scalars[n.Value]; known {
			return
		}
		scalars[n.Value] = nil
		text = fmt.Appendf(text, "k%d: %s\n", len(names), n.Value)
		names = append(names, n.Value)
	}
	gather(root)
	if bytes.Count(text, []byte("\n")) != len(names) {
		return nil, false
	}
	var decoded map[string]any
	if yaml.Unmarshal(text, &decoded) != nil || len(decoded) != len(names) {
		return nil, false
	}
	for i, name := range names {
		scalars[name] = decoded["k"+strconv.Itoa(i)]
	}
	return scalars, true
}

// plainReader has what Helm's library makes of scalars that may be more than text.
type plainReader struct {
	lines   [][]byte
	scalars map[string]any
}

func (r *plainReader) value(n *yaml3.Node) (v any, ok bool) {
	if n.Anchor != "" || n.Style&(yaml3.TaggedStyle|yaml3.LiteralStyle|yaml3.FoldedStyle) != 0 {
		return nil, false
	}
	switch n.Kind {
	case yaml3.MappingNode:
		if n.Style&yaml3.FlowStyle != 0 && len(n.Content) > 0 {
			return nil, false
		}
		return r.mapping(n)
	case yaml3.SequenceNode:
		if n.Style&yaml3.FlowStyle != 0 && len(n.Content) > 0 {
			return nil, false
		}
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			if list[i], ok = r.value(item); !ok {
				return nil, false
			}
		}
		return list, true
	case yaml3.ScalarNode:
		return r.scalar(n)
	}
	return nil, false
}

func (r *plainReader) mapping(n *yaml3.Node) (any, bool) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml3.ScalarNode || key.Anchor != "" || key.Style != 0 || !isText(key.Value) {
			return nil, false
		}
		v, ok := r.value(value)
		if !ok {
			return nil, false
		}
		m[key.Value] = v
	}
	return m, true
}

func (r *plainReader) scalar(n *yaml3.Node) (v any, ok bool) {
	// Only what stands on one line, as it is, is read the same for sure.
	if n.Line < 1 || n.Line > len(r.lines) || !bytes.Contains(r.lines[n.Line-1], []byte(n.Value)) {
		return nil, false
	}
	if n.Style != 0 || isText(n.Value) {
		return n.Value, true
	}
	v, ok = r.scalars[n.Value]
	return v, ok
}

// isText tells whether a scalar without quotes is surely text: it begins with a letter,
// and is none of YAML's words.
func isText(s string) bool {
	switch strings.ToLower(s) {
	case "", "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-_./ ", rune(c))) {
			return false
		}
	}
	return true
}
