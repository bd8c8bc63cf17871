package valuesschema

import (
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
)

// layer is one file or one --set argument.
type layer struct {
	file string
	root *yaml3.Node
	arg  string
	set  map[string]any
}

// origin returns where the value at path was given last. For a path that nobody
// gave it is its nearest parent; when all of it is the chart's, the last file,
// without a line.
func (d *Document) origin(path Path) Origin {
	path = d.full(path)
	for n := len(path); n > 0; n-- {
		if o, ok := d.given(path[:n]); ok {
			return o
		}
	}
	for i := len(d.layers) - 1; i >= 0; i-- {
		if name := d.layers[i].file; name != "" {
			return Origin{File: name}
		}
	}
	return Origin{}
}

// full is the place of one of this chart's values in the files.
func (d *Document) full(path Path) Path { return d.above.With(path...) }

// given is where exactly this path was given last.
func (d *Document) given(path Path) (Origin, bool) {
	for i := len(d.layers) - 1; i >= 0; i-- {
		l := d.layers[i]
		if l.arg != "" {
			if v, ok := lookup(l.set, path); ok && (v != nil || !isIndex(path)) {
				return Origin{Arg: l.arg}, true
			}
			continue
		}
		if key, _ := d.findNode(l.root, path); key != nil {
			return Origin{File: l.file, Line: key.Line, Column: key.Column}, true
		}
	}
	return Origin{}, false
}

// isIndex tells whether path ends in a list's index: strvals fills a list with
// nulls up to the index that it sets.
func isIndex(path Path) bool {
	_, ok := path[len(path)-1].(int)
	return ok
}

// findNode returns the node that names path (a map's key, a list's item) and
// its value, or nils.
func (d *Document) findNode(root *yaml3.Node, path Path) (at, value *yaml3.Node) {
	value = root
	for _, step := range path {
		value = follow(value)
		if value == nil {
			return nil, nil
		}
		switch step := step.(type) {
		case int:
			if value.Kind != yaml3.SequenceNode || step >= len(value.Content) {
				return nil, nil
			}
			value = value.Content[step]
			at = value
		case string:
			if at, value = d.findKey(value, step, 0); at == nil {
				return nil, nil
			}
		}
	}
	return at, value
}

func follow(n *yaml3.Node) *yaml3.Node {
	for n != nil && n.Kind == yaml3.AliasNode {
		n = n.Alias
	}
	return n
}

// findKey finds the last such key of a map, then those that << merges in.
func (d *Document) findKey(m *yaml3.Node, key string, depth int) (at, value *yaml3.Node) {
	if m == nil || m.Kind != yaml3.MappingNode || depth > 16 {
		return nil, nil
	}
	if i := d.position(m, key); i >= 0 {
		return m.Content[i], m.Content[i+1]
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Tag != "!!merge" {
			continue
		}
		from := follow(m.Content[i+1])
		sources := []*yaml3.Node{from}
		if from != nil && from.Kind == yaml3.SequenceNode {
			sources = from.Content
		}
		for _, s := range sources {
			if at, value := d.findKey(follow(s), key, depth+1); at != nil {
				return at, value
			}
		}
	}
	return nil, nil
}

// indexFrom is the size of a map, in nodes, from which its keys are indexed: a
// problem for each of a hundred thousand keys must not search them all.
const indexFrom = 64

// position is the index in m.Content of the last such key, or -1.
func (d *Document) position(m *yaml3.Node, key string) int {
	if len(m.Content) < indexFrom {
		for i := len(m.Content) - 2; i >= 0; i -= 2 {
			if keyName(m.Content[i]) == key {
				return i
			}
		}
		return -1
	}
	index, ok := d.indexes[m]
	if !ok {
		index = make(map[string]int, len(m.Content)/2)
		for i := 0; i+1 < len(m.Content); i += 2 {
			index[keyName(m.Content[i])] = i
		}
		if d.indexes == nil {
			d.indexes = map[*yaml3.Node]map[string]int{}
		}
		d.indexes[m] = index
	}
	if i, ok := index[key]; ok {
		return i
	}
	return -1
}

// keyName is the key as Helm's YAML library reads it: a plain no becomes
// "false".
func keyName(k *yaml3.Node) string {
	if b := plainBool(k); b != "" {
		return b
	}
	return k.Value
}

// plainBool is true or false for an unquoted word that YAML 1.1 reads as a
// boolean, else "".
func plainBool(n *yaml3.Node) string {
	if n.Kind != yaml3.ScalarNode || n.Style != 0 {
		return ""
	}
	switch strings.ToLower(n.Value) {
	case "yes", "on", "true":
		return "true"
	case "no", "off", "false":
		return "false"
	}
	return ""
}
