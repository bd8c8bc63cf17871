package valuesschema

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// theSchema is compiled once; it never changes.
var theSchema = sync.OnceValues(compile)

// Validate returns every problem of the values, ordered by where they are.
// Values that could not be parsed have only that problem.
func (d *Document) Validate() []Problem {
	problems := append([]Problem(nil), d.problems...)
	if errs, _ := Count(problems); errs > 0 {
		return sortUnique(problems)
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
	return append(sortUnique(append(problems, c.problems...)), c.countUnlisted()...)
}

// rules are what is checked beyond the schema.
func rules() []func(*check) {
	return []func(*check){
		checkYAML, checkNulls, checkHistoric, checkKubeshark, checkMappings, checkImages, checkBuild, checkKMM, checkSource, checkSupply, checkParameters,
		checkEgress,
		checkKubernetes, checkUnread,
	}
}

// check collects the problems of one document.
type check struct {
	doc      *Document
	schema   *compiled
	values   map[string]any
	problems []Problem
	// more are the problems beyond maxProblems, by severity.
	more map[Severity]int
}

// maxProblems is how many problems are reported. Nobody reads so many, and a hostile
// file has no end of them.
const maxProblems = 10_000

func (c *check) full() bool { return len(c.problems) >= maxProblems }

func (c *check) dropped(severity Severity) {
	if c.more == nil {
		c.more = map[Severity]int{}
	}
	c.more[severity]++
}

// report keeps a problem, or counts it.
func (c *check) report(p Problem) {
	if c.full() {
		c.dropped(p.Severity)
		return
	}
	c.problems = append(c.problems, p)
}

// countUnlisted tells how many problems are not listed.
func (c *check) countUnlisted() []Problem {
	var rest []Problem
	for _, severity := range []Severity{Error, Warning} {
		if n := c.more[severity]; n > 0 {
			rest = append(rest, Problem{Severity: severity, Rule: "too-many-problems", More: n,
				Message:    fmt.Sprintf("%d more are not listed", n),
				Suggestion: "fix the listed problems first"})
		}
	}
	return rest
}

var module = ParsePath("tap.kernelModule")

func (c *check) add(severity Severity, rule string, path Path, message, suggestion string) {
	if c.full() {
		c.dropped(severity)
		return
	}
	p := Problem{Severity: severity, Rule: rule, Origin: c.doc.origin(path), Path: c.doc.full(path).String(), Message: message, Suggestion: suggestion}
	if v, ok := lookup(c.values, path); ok {
		p.Value = showValue(v)
	}
	c.report(p)
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
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return clip(hideUserinfo(strings.TrimSuffix(b.String(), "\n")), 120)
}
