package valuesschema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Markdown returns a reference of every value, made from the schema.
func Markdown() ([]byte, error) {
	schema, err := theSchema()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("# Values\n\nMade from the schema by `pfring schema -o markdown`. `pfring explain KEY` shows one key.\n\n" +
		"* `[]` at the end of a key means each item of a list.\n* \"auto:\" or \"kmm:\" at the beginning of a meaning names the mode that reads the key.\n" +
		"* Quantities are those of Kubernetes, such as `64Mi` and `250m`. Secrets, ConfigMaps and claims are in the release's namespace.\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n")
	schema.rows(&b, nil, schema.tree)
	return []byte(b.String()), nil
}

func (c *compiled) rows(b *strings.Builder, path Path, node map[string]any) {
	node = c.resolve(node)
	if len(path) > 0 {
		def := ""
		if d, ok := node["default"]; ok {
			if data, err := json.Marshal(d); err == nil {
				def = "`" + strings.ReplaceAll(string(data), "|", `\|`) + "`"
			}
		}
		text, _ := node["description"].(string)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", strings.ReplaceAll(path.String(), "[0]", "[]"), typeText(node), def, cell(text+bounds(node)))
	}
	props, _ := node["properties"].(map[string]any)
	names := c.keys(path)
	slices.Sort(names)
	for _, name := range names {
		if sub, ok := props[name].(map[string]any); ok {
			c.rows(b, path.With(name), sub)
		}
	}
	if items, ok := node["items"].(map[string]any); ok {
		if sub := c.resolve(items); sub["properties"] != nil {
			c.rows(b, path.With(0), items)
		}
	}
}

func typeText(node map[string]any) string {
	if node["type"] == nil {
		return "a list or a map"
	}
	return typeNames(node["type"])
}

// objectName is the pattern of names of Kubernetes objects in the schema.
const objectName = `^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`

// bounds says what else a value must be.
func bounds(node map[string]any) string {
	var out []string
	if enum, ok := node["enum"].([]any); ok {
		var names []string
		for _, v := range enum {
			if v != "" && v != nil {
				names = append(names, fmt.Sprint("`", v, "`"))
			}
		}
		out = append(out, "One of "+strings.Join(names, ", "))
	}
	if p, ok := node["pattern"].(string); ok {
		if p == objectName {
			p = "A name of a Kubernetes object, or empty"
		} else {
			p = "Matches `" + p + "`"
		}
		out = append(out, p)
	}
	if lo, ok := node["minimum"]; ok && lo != node["maximum"] {
		out = append(out, fmt.Sprintf("From %.0f to %.0f", lo, node["maximum"]))
	}
	if n, ok := node["maxLength"]; ok {
		out = append(out, fmt.Sprintf("At most %.0f characters", n))
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, ". ") + "."
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }

// Key is one key of the values, as the schema describes it.
type Key struct {
	// Path is as tap.kernelModule.kernelMappings[].literal.
	Path string
	// Type is such as "a string"; Default is JSON, "" for none.
	Type, Default string
	// Description is what it is for; Bounds is what else a value must be.
	Description, Bounds string
	// HasKeys is true where the schema names keys below it.
	HasKeys bool
}

// Keys lists every key of the values, parents first.
func Keys() ([]Key, error) {
	schema, err := theSchema()
	if err != nil {
		return nil, err
	}
	return schema.list(nil, schema.tree, nil), nil
}

func (c *compiled) list(path Path, node map[string]any, keys []Key) []Key {
	node = c.resolve(node)
	props, _ := node["properties"].(map[string]any)
	items, _ := node["items"].(map[string]any)
	if len(path) > 0 && !isIndex(path) {
		k := Key{Path: strings.ReplaceAll(path.String(), "[0]", "[]"), Type: typeText(node), Bounds: strings.TrimSpace(bounds(node)), HasKeys: len(props) > 0}
		k.Description, _ = node["description"].(string)
		if d, ok := node["default"]; ok {
			if data, err := json.Marshal(d); err == nil {
				k.Default = string(data)
			}
		}
		keys = append(keys, k)
	}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if sub, ok := props[name].(map[string]any); ok {
			keys = c.list(path.With(name), sub, keys)
		}
	}
	if sub := c.resolve(items); sub["properties"] != nil {
		keys = c.list(path.With(0), items, keys)
	}
	return keys
}
