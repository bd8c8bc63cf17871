package valuesschema

import (
	yaml3 "go.yaml.in/yaml/v3"
)

// checkYAML looks at the files' own text: what the merged values no longer show.
func checkYAML(c *check) {
	for _, l := range c.doc.layers {
		if l.root != nil {
			c.duplicates(l.file, l.root, nil)
		}
	}
}

func (c *check) duplicates(file string, n *yaml3.Node, path Path) {
	switch n.Kind {
	case yaml3.SequenceNode:
		for i, item := range n.Content {
			c.duplicates(file, item, path.With(i))
		}
	case yaml3.MappingNode:
		first := make(map[string]*yaml3.Node, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := path.With(keyName(key))
			if before := first[keyName(key)]; before != nil && key.Tag != "!!merge" {
				c.duplicate(file, key, before, at)
			}
			first[keyName(key)] = key
			c.oldBoolean(file, value, at)
			c.duplicates(file, value, at)
		}
	}
}

func (c *check) duplicate(file string, key, before *yaml3.Node, path Path) {
	severity := Warning
	// Within the block, and in what leads to it, the loss is ours.
	if block := c.doc.full(module); path.hasPrefix(block) || block.hasPrefix(path) {
		severity = Error
	}
	c.report(Problem{
		Severity: severity, Rule: "yaml-duplicate-key", Path: path.String(),
		Origin:     Origin{File: file, Line: key.Line, Column: key.Column},
		Message:    "duplicate key, also at line " + itoa(before.Line) + "; Helm silently uses the last one",
		Suggestion: "join the two into one",
	})
}

// oldBoolean warns of yes, no, on and off, which YAML 1.1 and so Helm read as
// booleans.
func (c *check) oldBoolean(file string, n *yaml3.Node, path Path) {
	if b := plainBool(n); b == "" || len(n.Value) > 3 || n.Value == b || !path.hasPrefix(c.doc.full(module)) {
		return
	}
	c.report(Problem{
		Severity: Warning, Rule: "yaml-boolean", Path: path.String(), Value: n.Value,
		Origin:     Origin{File: file, Line: n.Line, Column: n.Column},
		Message:    "Helm reads this word as a boolean, other tools read it as a string",
		Suggestion: "write " + plainBool(n) + ", or quote it",
	})
}

// checkNulls warns of nulls that delete one of the chart's defaults.
func checkNulls(c *check) { c.nulls(c.doc.user, c.doc.defaults, nil) }

func (c *check) nulls(user, defaults map[string]any, path Path) {
	for k, v := range user {
		d, known := defaults[k]
		if !known || d == nil {
			continue
		}
		at := path.With(k)
		if v == nil {
			p := Problem{Severity: Warning, Rule: "null-deletes-default", Origin: c.doc.origin(at), Path: c.doc.full(at).String(), Value: "null",
				Message:    "null deletes the chart's default, " + orBlock(showValue(d)),
				Suggestion: "remove the key to keep the default, or give it a value"}
			c.report(p)
			continue
		}
		um, ok := v.(map[string]any)
		dm, ok2 := d.(map[string]any)
		if ok && ok2 {
			c.nulls(um, dm, at)
		}
	}
}

func orBlock(s string) string {
	if s == "" {
		return "a whole block"
	}
	return s
}
