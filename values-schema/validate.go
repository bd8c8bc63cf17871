package valuesschema

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/xeipuuv/gojsonschema"
)

// theSchema is compiled once; it never changes.
var theSchema = sync.OnceValues(compile)

// Validate returns every problem of the values, ordered by where they are.
// Values that could not be parsed have only that problem.
func (d *Document) Validate() []Problem {
	problems := append([]Problem(nil), d.problems...)
	if errs, _ := Count(problems); errs > 0 {
		return tidy(problems)
	}
	schema, err := theSchema()
	if err != nil {
		return append(problems, fatal("", 0, 0, "internal", err.Error()))
	}
	c := &check{doc: d, schema: schema, values: d.merged}
	c.schemaLayer()
	for _, rule := range rules() {
		rule(c)
	}
	return tidy(append(problems, c.problems...))
}

// rules are what is checked beyond the schema.
func rules() []func(*check) {
	return []func(*check){
		checkYAML, checkNulls, checkHistoric, checkMappings, checkImages, checkKMM, checkSource, checkParameters, checkEgress,
	}
}

// check collects the problems of one document.
type check struct {
	doc      *Document
	schema   *compiled
	values   map[string]any
	problems []Problem
}

var module = ParsePath("tap.kernelModule")

func (c *check) add(severity Severity, rule string, path Path, message, suggestion string) {
	p := Problem{Severity: severity, Rule: rule, Origin: c.doc.origin(path), Path: path.String(), Message: message, Suggestion: suggestion}
	if v, ok := lookup(c.values, path); ok {
		p.Value = showValue(v)
	}
	c.problems = append(c.problems, p)
}

func (c *check) errorf(rule string, path Path, suggestion, format string, args ...any) {
	c.add(Error, rule, path, fmt.Sprintf(format, args...), suggestion)
}

func (c *check) warnf(rule string, path Path, suggestion, format string, args ...any) {
	c.add(Warning, rule, path, fmt.Sprintf(format, args...), suggestion)
}

// str, boolean, list and object read a value of the merged values. What has
// another type is the schema's to tell and reads as empty.
func (c *check) str(path Path) string {
	v, _ := lookup(c.values, path)
	s, _ := v.(string)
	return s
}

func (c *check) boolean(path Path) bool {
	v, _ := lookup(c.values, path)
	b, _ := v.(bool)
	return b
}

func (c *check) list(path Path) []any {
	v, _ := lookup(c.values, path)
	l, _ := v.([]any)
	return l
}

func (c *check) object(path Path) map[string]any {
	v, _ := lookup(c.values, path)
	m, _ := v.(map[string]any)
	return m
}

// mode is auto, kmm, or "" when nothing is installed.
func (c *check) mode() string {
	v, given := lookup(c.values, module.With("enabled"))
	if given && v == false || c.boolean(ParsePath("tap.noKernelModule")) {
		return ""
	}
	if m := c.str(module.With("mode")); m != "" {
		return m
	}
	return "auto"
}

func showValue(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 {
			return ""
		}
	case []any:
		if len(v) > 0 {
			return ""
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return clip(hideUserinfo(string(data)), 120)
}

// schemaLayer reports what the JSON Schema refuses.
func (c *check) schemaLayer() {
	result, err := c.schema.engine.Validate(gojsonschema.NewRawLoader(numbers(c.relevant())))
	if err != nil {
		c.problems = append(c.problems, fatal("", 0, 0, "wrong-type", err.Error()))
		return
	}
	for _, e := range result.Errors() {
		c.schemaError(e)
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
