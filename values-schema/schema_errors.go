package valuesschema

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// schemaError tells one finding of the schema engine in words of this project.
func (c *check) schemaError(e gojsonschema.ResultError) {
	path := c.errorPath(e)
	switch e.Type() {
	case "additional_property_not_allowed":
		c.unknownKey(path, fmt.Sprint(e.Details()["property"]))
	case "required":
		c.errorf("missing-key", path, "", "the key %v is missing", e.Details()["property"])
	case "invalid_type":
		c.wrongType(path)
	case "enum":
		c.wrongEnum(path)
	case "pattern":
		c.errorf("bad-pattern", path, c.describe(path), "does not match %v", e.Details()["pattern"])
	case "number_one_of":
		c.errorf("literal-xor-regexp", path, "", "a mapping has exactly one of literal and regexp")
	case "number_any_of":
		c.errorf("wrong-type", path, c.describe(path), "neither a list of terms nor a map whose key workers is one")
	case "number_not", "condition_else", "condition_then", "number_all_of":
		// Parts of a finding that is told as a whole.
	default:
		c.errorf("out-of-range", path, c.describe(path), "%s", lowerFirst(e.Description()))
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// describe is what the schema says the value is for.
func (c *check) describe(path Path) string {
	text, _ := c.schema.at(path)["description"].(string)
	return text
}

func (c *check) unknownKey(parent Path, key string) {
	hint := ""
	switch near := Nearest(key, c.schema.keys(parent)); {
	case key == "false" && len(parent) > 0 && parent[len(parent)-1] == "proxy":
		hint = `YAML reads a plain no as false; write "no" in quotes`
	case near != "":
		hint = "did you mean " + near + "?"
	default:
		hint = "known here: " + strings.Join(c.schema.keys(parent), ", ")
	}
	c.errorf("unknown-key", parent.With(key), hint, "there is no such key")
}

func (c *check) wrongType(path Path) {
	v, _ := lookup(c.values, path)
	node := c.schema.at(path)
	want := typeNames(node["type"])
	hint := ""
	s, isString := v.(string)
	switch {
	case isString && strings.Contains(want, "boolean") && Nearest(s, []string{"true", "false"}) != "":
		hint = "write it without quotes: " + strings.ToLower(s)
	case isString && strings.Contains(want, "integer") && isInteger(s):
		hint = "write it without quotes: " + s
	case v == nil:
		hint = "remove the key, or give it a value"
	case want == "a string":
		hint = "write it in quotes: " + quoted(v)
	default:
		hint = c.describe(path)
	}
	c.errorf("wrong-type", path, hint, "must be %s, this is %s", want, typeOf(v))
}

func quoted(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		return `"…"`
	}
	return fmt.Sprintf("%q", fmt.Sprint(v))
}

func isInteger(s string) bool {
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil {
		return false
	}
	_, err := n.Int64()
	return err == nil
}

func typeNames(t any) string {
	article := map[string]string{
		"string": "a string", "boolean": "a boolean", "integer": "an integer", "number": "a number", "array": "a list", "object": "a map", "null": "null",
	}
	switch t := t.(type) {
	case string:
		return article[t]
	case []any:
		var names []string
		for _, x := range t {
			if x != "null" {
				names = append(names, article[fmt.Sprint(x)])
			}
		}
		return strings.Join(names, " or ")
	}
	return "of another type"
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	}
	return "a number"
}

func (c *check) wrongEnum(path Path) {
	values, _ := c.schema.at(path)["enum"].([]any)
	var names []string
	for _, v := range values {
		if s, ok := v.(string); ok && s != "" {
			names = append(names, s)
		}
	}
	hint := "one of " + strings.Join(names, ", ")
	if near := Nearest(c.str(path), names); near != "" {
		hint = "did you mean " + near + "?"
	}
	c.errorf("not-one-of", path, hint, "must be one of %s", strings.Join(names, ", "))
}
