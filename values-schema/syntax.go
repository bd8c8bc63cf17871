package valuesschema

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

var (
	lineInError   = lazyregexp.New(`line (\d+):\s*`)
	unknownAnchor = lazyregexp.New(`unknown anchor '([^']*)'`)
)

// syntaxProblem takes the line out of the library's message.
func syntaxProblem(name string, err error) Problem {
	line, msg := splitLine(err)
	if i := strings.IndexByte(msg, '\n'); i >= 0 {
		msg = msg[:i]
	}
	if strings.HasPrefix(msg, "exceeded max depth") {
		return fatal(name, 0, 0, "yaml-too-large", "nested thousands of levels deep")
	}
	col := 0
	if line > 0 {
		col = 1
	}
	return fatal(name, line, col, "yaml-syntax", "not valid YAML: "+clip(msg, 200))
}

// place is where a byte of data stands, both from 1.
func place(data []byte, offset int) (line, column int) {
	return 1 + bytes.Count(data[:offset], []byte("\n")), offset - bytes.LastIndexByte(data[:offset], '\n')
}

// notUTF8 is the offset of the first byte that is not UTF-8, or -1.
func notUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// isControl tells the characters that YAML does not take.
func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' && r != '\u0085'
}

// inFirstLine names the first line where the library cannot: its count begins at
// 0, which it takes for "not known" and then names another line or none. So the
// file is read once more with a line before it.
func inFirstLine(data []byte, err error) error {
	var n yaml3.Node
	again := yaml3.Unmarshal(append([]byte("#\n"), data...), &n)
	if again == nil {
		return err
	}
	if line, msg := splitLine(again); line == 2 {
		return fmt.Errorf("line 1: %s", msg)
	}
	return err
}

func splitLine(err error) (int, string) {
	msg := err.Error()
	for _, prefix := range []string{"error converting YAML to JSON: ", "error unmarshaling JSON: ", "yaml: ", "while decoding JSON: "} {
		msg = strings.TrimPrefix(msg, prefix)
	}
	line := 0
	if m := lineInError().FindStringSubmatch(msg); m != nil {
		// Digits alone: it fails only beyond any line that a file can have.
		line, _ = strconv.Atoi(m[1])
		msg = strings.Replace(msg, m[0], "", 1)
	}
	return line, msg
}

// locate corrects the place of a syntax problem where the library names none,
// or the line at which the surrounding block begins.
func locate(data []byte, p Problem) Problem {
	switch {
	case strings.Contains(p.Message, "cannot start any token"), strings.Contains(p.Message, "a tab character"):
		return tabHint(data, p)
	case strings.Contains(p.Message, "control characters"):
		if i := bytes.IndexFunc(data, isControl); i >= 0 {
			p.Line, p.Column = place(data, i)
		}
	case strings.Contains(p.Message, "did not find expected"):
		// The other library names the line before the one with the problem.
		line, _ := splitLine(yaml.Unmarshal(data, &map[string]any{}))
		p.Line, p.Column = line+1, 1
		p.Suggestion = "check this line's indentation, colons and quotes, and the line above"
	}
	if strings.Contains(p.Message, "unexpected end of stream") {
		p.Suggestion = "the quote that opens here is not closed"
	}
	if m := unknownAnchor().FindStringSubmatch(p.Message); m != nil {
		if i := bytes.Index(data, []byte("*"+m[1])); i >= 0 {
			p.Line, p.Column = place(data, i)
			p.Suggestion = "a value that begins with * is an alias; put text that begins with * in quotes"
		}
	}
	return p
}

// tabHint points at the tab, since the library names another line for it.
func tabHint(data []byte, p Problem) Problem {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 {
			p.Line, p.Column = n, i+1
			p.Message = "a tab in the indentation; YAML takes spaces only"
			return p
		}
	}
	return p
}

// notJSON finds what YAML has and values, which become JSON, cannot: keys that
// are maps or lists, and numbers that are none.
func notJSON(name string, n *yaml3.Node, problems []Problem) []Problem {
	at := func(n *yaml3.Node, message, suggestion string) {
		p := fatal(name, n.Line, n.Column, "yaml-syntax", message)
		p.Suggestion = suggestion
		problems = append(problems, p)
	}
	word := strings.ToLower(strings.TrimLeft(n.Value, "+-"))
	if n.Kind == yaml3.ScalarNode && n.Tag == "!!float" && (word == ".nan" || word == ".inf") {
		at(n, n.Value+" is not a valid number", "write a finite number, or put it in quotes")
	}
	for i, c := range n.Content {
		isKey := n.Kind == yaml3.MappingNode && i%2 == 0 && c.Tag != "!!merge"
		if k := follow(c); isKey && k != nil && k.Kind != yaml3.ScalarNode {
			at(c, "the key of a map must be plain text, this one is "+kindName(k), "values files are not templates: if this is one, such as {{ … }}, replace it with its value")
			continue
		}
		problems = notJSON(name, c, problems)
	}
	return problems
}

// clip shortens s to about n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
