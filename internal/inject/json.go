package inject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isJSON is true for a document that is one JSON object, as kubectl prints with -o json.
func isJSON(doc []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(doc), []byte("{")) && json.Valid(doc)
}

// throughYAML edits JSON: it is written as YAML, edited there, and written as
// JSON again, with the same keys in the same order and indented as it was.
func throughYAML(doc []byte, edit func([]byte) ([]byte, error)) ([]byte, error) {
	object, err := fromJSON(doc)
	if err != nil {
		return nil, err
	}
	before, err := yaml.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("cannot write the JSON as YAML: %w", err)
	}
	after, err := edit(before)
	if err != nil || bytes.Equal(before, after) {
		return doc, err
	}
	object, err = parse(after)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	// kubectl escapes < > and &, jq does not.
	escape := bytes.Contains(doc, []byte(`\u003c`)) || bytes.Contains(doc, []byte(`\u003e`)) || bytes.Contains(doc, []byte(`\u0026`))
	if err := toJSON(&compact, object, escape); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(doc[:bytes.IndexByte(doc, '{')])
	if indent := jsonIndent(doc); indent == "" {
		out.Write(compact.Bytes())
	} else if err := json.Indent(&out, compact.Bytes(), "", indent); err != nil {
		return nil, fmt.Errorf("cannot indent the JSON: %w", err)
	}
	out.Write(doc[len(bytes.TrimRight(doc, " \t\r\n")):])
	return out.Bytes(), nil
}

// jsonIndent is what stands before the first key on a line of its own.
func jsonIndent(doc []byte) string {
	_, rest, _ := bytes.Cut(doc, []byte("{"))
	rest = bytes.TrimLeft(rest, "\r\n")
	return string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
}

// fromJSON reads an object with its keys in order.
func fromJSON(doc []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	node, err := nextJSON(d)
	if err != nil {
		return nil, fmt.Errorf("cannot read the JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("cannot read the JSON: unexpected content after the object")
	}
	return node, nil
}

func nextJSON(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	opening, ok := token.(json.Delim)
	if !ok {
		return jsonScalar(token), nil
	}
	node := &yaml.Node{Kind: yaml.MappingNode}
	if opening == '[' {
		node.Kind = yaml.SequenceNode
	}
	for d.More() {
		if opening == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, jsonScalar(key))
		}
		child, err := nextJSON(d)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, child)
	}
	_, err = d.Token() // the closing one
	return node, err
}

func jsonScalar(token json.Token) *yaml.Node {
	switch v := token.(type) {
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v, Style: yaml.DoubleQuotedStyle}
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}
	}
}

func toJSON(out *bytes.Buffer, n *yaml.Node, escape bool) error {
	var open, closing byte
	switch n.Kind {
	case yaml.MappingNode:
		open, closing = '{', '}'
	case yaml.SequenceNode:
		open, closing = '[', ']'
	case yaml.ScalarNode:
		return scalarToJSON(out, n, escape)
	default:
		return errUnlike
	}
	out.WriteByte(open)
	for i, child := range n.Content {
		key := open == '{' && i%2 == 0
		switch {
		case open == '{' && i%2 == 1:
			out.WriteByte(':')
		case i > 0:
			out.WriteByte(',')
		}
		write := toJSON
		if key {
			write = textToJSON
		}
		if err := write(out, child, escape); err != nil {
			return err
		}
	}
	out.WriteByte(closing)
	return nil
}

func scalarToJSON(out *bytes.Buffer, n *yaml.Node, escape bool) error {
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			out.WriteString(n.Value)
			return nil
		}
	}
	return textToJSON(out, n, escape)
}

func textToJSON(out *bytes.Buffer, n *yaml.Node, escape bool) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(escape)
	if err := e.Encode(n.Value); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	out.WriteString(strings.TrimSuffix(text.String(), "\n"))
	return nil
}
