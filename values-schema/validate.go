package valuesschema

import (
	"encoding/json"
	"fmt"
	"sync"
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
		checkYAML, checkNulls, checkHistoric, checkMappings, checkImages, checkBuild, checkKMM, checkSource, checkParameters, checkEgress,
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
