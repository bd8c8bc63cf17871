package depmod

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// kmod's binary index is a Patricia trie over 7-bit characters. All numbers are
// big-endian and of 32 bits. The header is magic, version and a reference to
// the root. A reference is the offset of a node with flags for the parts that
// the node has, which stand there in this order: the prefix, ended by NUL; the
// first and last child's character and a reference for each in between; the
// number of values, and for each its priority and its text, ended by NUL.
const (
	indexMagic   = 0xb007f457
	indexVersion = 0x00020001

	flagPrefix   = 0x80000000
	flagValues   = 0x40000000
	flagChildren = 0x20000000
	offsetMask   = 0x0fffffff
)

// trie maps keys to values in order of priority.
type trie struct{ root trieNode }

type trieNode struct {
	prefix   string
	children map[byte]*trieNode
	values   []trieValue
}

type trieValue struct {
	priority uint32
	text     string
}

// add puts a value under key. The key is printable 7-bit ASCII without spaces,
// since it stands in the text files too.
func (t *trie) add(key, text string, priority uint32) error {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return fmt.Errorf("cannot index %q: character %d is not printable 7-bit ASCII", key, i+1)
		}
	}
	n := &t.root
	for {
		same := commonPrefix(n.prefix, key)
		if same < len(n.prefix) {
			n.split(same)
		}
		if key = key[same:]; key == "" {
			break
		}
		child := n.children[key[0]]
		if child == nil {
			child = &trieNode{prefix: key[1:]}
			n.adopt(key[0], child)
		}
		n, key = child, key[1:]
	}
	n.values = append(n.values, trieValue{priority, text})
	return nil
}

// split makes n end after the first characters of its prefix; a child takes
// over the rest.
func (n *trieNode) split(at int) {
	rest := *n
	c := n.prefix[at]
	rest.prefix = n.prefix[at+1:]
	*n = trieNode{prefix: n.prefix[:at]}
	n.adopt(c, &rest)
}

func (n *trieNode) adopt(c byte, child *trieNode) {
	if n.children == nil {
		n.children = map[byte]*trieNode{}
	}
	n.children[c] = child
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// bytes is the index file.
func (t *trie) bytes() ([]byte, error) {
	w := &trieWriter{}
	w.numbers(indexMagic, indexVersion, 0)
	root := w.node(&t.root)
	data := w.out.Bytes()
	if len(data) > offsetMask {
		return nil, fmt.Errorf("the index has %d bytes, more than the format can address", len(data))
	}
	binary.BigEndian.PutUint32(data[8:], root)
	return data, nil
}

type trieWriter struct{ out bytes.Buffer }

// node writes the children first, since their offsets stand in n, and returns
// the reference to n.
func (w *trieWriter) node(n *trieNode) uint32 {
	var children []uint32
	var first, last byte
	if len(n.children) > 0 {
		first, last = 0x7f, 0
		for c := range n.children {
			first, last = min(first, c), max(last, c)
		}
		children = make([]uint32, int(last)-int(first)+1)
		for i := range children {
			if child := n.children[first+byte(i)]; child != nil {
				children[i] = w.node(child)
			}
		}
	}
	ref := uint32(w.out.Len()) & offsetMask
	if n.prefix != "" {
		ref |= flagPrefix
		w.text(n.prefix)
	}
	if children != nil {
		ref |= flagChildren
		w.out.Write([]byte{first, last})
		w.numbers(children...)
	}
	if len(n.values) > 0 {
		ref |= flagValues
		w.values(n.values)
	}
	return ref
}

func (w *trieWriter) values(values []trieValue) {
	slices.SortStableFunc(values, func(a, b trieValue) int { return cmp.Compare(a.priority, b.priority) })
	w.numbers(uint32(len(values)))
	for _, v := range values {
		w.numbers(v.priority)
		w.text(v.text)
	}
}

func (w *trieWriter) numbers(list ...uint32) {
	for _, n := range list {
		w.out.Write(binary.BigEndian.AppendUint32(nil, n))
	}
}

func (w *trieWriter) text(s string) {
	w.out.WriteString(s)
	w.out.WriteByte(0)
}
