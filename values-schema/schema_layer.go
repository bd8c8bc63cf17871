package valuesschema

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// schemaLayer reports what the JSON Schema refuses.
func (c *check) schemaLayer() {
	result, err := c.schema.engine.Validate(gojsonschema.NewRawLoader(numbers(c.relevant())))
	if err != nil {
		c.problems = append(c.problems, fatal("", 0, 0, "wrong-type", err.Error()))
		return
	}
	found := result.Errors()
	for _, e := range found {
		if !c.toldElsewhere(e, found) {
			c.schemaError(e)
		}
	}
}

// relevant leaves out what the schema says nothing of, which in a complete
// Kubeshark file is most of it.
func (c *check) relevant() map[string]any {
	out := map[string]any{}
	for _, k := range c.schema.keys(nil) {
		if v, ok := c.values[k]; ok {
			out[k] = v
		}
	}
	if tap, ok := out["tap"].(map[string]any); ok {
		few := map[string]any{}
		for _, k := range c.schema.keys(Path{"tap"}) {
			if v, ok := tap[k]; ok {
				few[k] = v
			}
		}
		out["tap"] = few
	}
	return out
}

// toldElsewhere tells whether another finding says the same better: the engine
// gives both the choice that failed and why, and of a bad name both the pattern
// and the name.
func (c *check) toldElsewhere(e gojsonschema.ResultError, all []gojsonschema.ResultError) bool {
	path := c.errorPath(e)
	switch e.Type() {
	case "number_not", "condition_else", "condition_then", "number_all_of":
		return true
	case "pattern":
		v, _ := lookup(c.values, path)
		_, isText := v.(string)
		return !isText
	case "number_any_of":
		for _, other := range all {
			if deeper := c.errorPath(other); len(deeper) > len(path) && deeper.hasPrefix(path) {
				return true
			}
		}
	case "invalid_type":
		for _, other := range all {
			if other.Type() == "number_any_of" && c.errorPath(other).key() == path.key() {
				return true
			}
		}
	case "required":
		for _, other := range all {
			if other.Type() == "number_one_of" && c.errorPath(other).key() == path.key() && e.Details()["property"] != "containerImage" {
				return true
			}
		}
	}
	return false
}

// numbers copies a tree with its numbers as the schema engine wants them.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = numbers(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = numbers(x)
		}
		return out
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case int:
		return json.Number(strconv.Itoa(v))
	}
	return v
}

// errorPath turns the engine's context into a path.
func (c *check) errorPath(e gojsonschema.ResultError) Path {
	var path Path
	var at any = c.values
	for _, step := range strings.Split(e.Context().String("\x00"), "\x00")[1:] {
		if list, ok := at.([]any); ok {
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(list) {
				break
			}
			path, at = append(path, i), list[i]
			continue
		}
		path = append(path, step)
		m, _ := at.(map[string]any)
		at = m[step]
	}
	return path
}
