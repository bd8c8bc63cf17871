package valuesschema

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// maxNodes bounds what aliases may expand to, maxDepth the nesting.
const (
	maxNodes = 300_000
	maxDepth = 500
)

func fatal(file string, line, column int, rule, message string) Problem {
	return Problem{Severity: Error, Rule: rule, Origin: Origin{File: file, Line: line, Column: column}, Message: message}
}

// parseYAML reads one values file. The values come from the library that Helm
// reads them with, so that YAML 1.1 booleans and numbers mean the same; the
// node tree, from another, knows lines and columns. Where the two cannot differ the
// text is read once.
func parseYAML(name string, data []byte) (map[string]any, *yaml3.Node, []Problem) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		line, column := place(data, i)
		return nil, nil, []Problem{fatal(name, line, column, "yaml-syntax",
			"a NUL byte: this is not a YAML file in UTF-8")}
	}
	if i := notUTF8(data); i >= 0 {
		line, column := place(data, i)
		return nil, nil, []Problem{fatal(name, line, column, "yaml-syntax", "this is not UTF-8 text")}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	root, problems := parseNodes(name, data)
	if len(problems) > 0 || root == nil {
		return nil, root, problems
	}
	values, ok := plainValues(data, root)
	if ok {
		return values, root, nil
	}
	values = map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, root, []Problem{syntaxProblem(name, err)}
	}
	return values, root, nil
}

// parseNodes returns the tree of the first document, or nil for an empty file.
func parseNodes(name string, data []byte) (*yaml3.Node, []Problem) {
	dec := yaml3.NewDecoder(bytes.NewReader(data))
	var doc, next yaml3.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, []Problem{locate(data, syntaxProblem(name, inFirstLine(data, err)))}
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	budget := maxNodes
	if p := measure(root, 0, &budget); p != "" {
		return nil, []Problem{fatal(name, root.Line, root.Column, "yaml-too-large", p)}
	}
	if problems := notJSON(name, root, nil); len(problems) > 0 {
		return nil, problems
	}
	if root.Kind == yaml3.AliasNode {
		root = root.Alias
	}
	if root.Tag == "!!null" {
		root = nil
	} else if root.Kind != yaml3.MappingNode {
		return nil, []Problem{fatal(name, root.Line, root.Column, "yaml-not-a-map",
			"a values file must be a map of keys to values, this one is "+kindName(root))}
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return root, []Problem{fatal(name, next.Line, next.Column, "yaml-multiple-documents",
			"a second YAML document begins here, and Helm would read only the first one. Put it into a separate file")}
	case !errors.Is(err, io.EOF):
		return root, []Problem{syntaxProblem(name, err)}
	}
	return root, nil
}

// measure follows aliases as a reader of the values would, so that a small
// file cannot grow without bound. It returns what is too much, or "".
func measure(n *yaml3.Node, depth int, budget *int) string {
	if *budget--; *budget < 0 {
		return fmt.Sprintf("the aliases of this file expand to more than %d nodes", maxNodes)
	}
	if depth > maxDepth {
		return fmt.Sprintf("nested more than %d levels deep", maxDepth)
	}
	if n.Kind == yaml3.AliasNode {
		return measure(n.Alias, depth+1, budget)
	}
	for _, c := range n.Content {
		if p := measure(c, depth+1, budget); p != "" {
			return p
		}
	}
	return ""
}

func kindName(n *yaml3.Node) string {
	switch n.Kind {
	case yaml3.SequenceNode:
		return "a list"
	case yaml3.ScalarNode:
		return "a single value"
	case yaml3.MappingNode:
		return "a map"
	}
	return "something else"
}
