package valuesschema

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// schemaLayer reports what the JSON Schema refuses.
func (c *check) schemaLayer() {
	known, _ := c.known(c.relevant(), c.schema.tree, nil).(map[string]any)
	result, err := c.schema.engine.Validate(gojsonschema.NewRawLoader(numbers(known)))
	if err != nil {
		c.report(fatal("", 0, 0, "wrong-type", err.Error()))
		return
	}
	found := c.findings(result.Errors())
	for _, e := range found.all {
		if !found.reportedElsewhere(e) {
			c.schemaError(e)
		}
	}
}

// known reports the keys that the schema does not know, where it takes no
// others, and returns the value without them. The engine could tell them too; it
// takes tens of microseconds for each, and a file may have a hundred thousand.
func (c *check) known(v any, node map[string]any, path Path) any {
	node = c.schema.resolve(node)
	switch v := v.(type) {
	case map[string]any:
		closed := node["additionalProperties"] == false
		out := make(map[string]any, len(v))
		var names []string
		if closed {
			names = c.schema.names(node)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch sub := c.schema.child(node, key); {
			case sub != nil:
				out[key] = c.known(v[key], sub, path.With(key))
			case closed:
				c.unknownKey(path, key, names)
			default:
				out[key] = v[key]
			}
		}
		return out
	case []any:
		sub := c.schema.child(node, 0)
		if sub == nil {
			return v
		}
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = c.known(x, sub, path.With(i))
		}
		return out
	}
	return v
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

// finding is one error of the schema engine, and where it is.
type finding struct {
	gojsonschema.ResultError
	path Path
	key  string
}

// findings are all of them, by what else they say of the same place.
type findings struct {
	all []finding
	// choices are the places where a choice failed, by the type of the error;
	// above are the places that have an error below them.
	choices map[string]bool
	above   map[string]bool
	values  map[string]any
}

func (c *check) findings(list []gojsonschema.ResultError) *findings {
	f := &findings{choices: map[string]bool{}, above: map[string]bool{}, values: c.values}
	for _, e := range list {
		path := c.errorPath(e)
		f.all = append(f.all, finding{e, path, path.key()})
		f.choices[e.Type()+path.key()] = true
		for n := range path {
			f.above[path[:n].key()] = true
		}
	}
	return f
}

// reportedElsewhere tells whether another finding says the same better: the engine
// gives both the choice that failed and why, and of a bad name both the pattern
// and the name.
func (f *findings) reportedElsewhere(e finding) bool {
	switch e.Type() {
	case "number_not", "condition_else", "condition_then", "number_all_of":
		return true
	case "pattern":
		v, _ := lookup(f.values, e.path)
		_, isText := v.(string)
		return !isText
	case "number_any_of":
		return f.above[e.key]
	case "invalid_type":
		return f.choices["number_any_of"+e.key]
	case "required":
		return f.choices["number_one_of"+e.key] && e.Details()["property"] != "containerImage"
	}
	return false
}

// numbers copies a tree with its numbers as the schema engine wants them.
func numbers(v any) any { return copyTree(v, number) }

func number(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			// Kubernetes' types take no integer that is written with an exponent.
			return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
		}
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
