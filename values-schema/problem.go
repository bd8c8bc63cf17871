package valuesschema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity of a problem: an error makes the values invalid, a warning does not.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Origin is where a value was given: a place in a file, or an argument such as
// --set a=b. Line and Column count from 1; 0 is unknown.
type Origin struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Arg    string `json:"argument,omitempty"`
}

// String writes file:line:column, or the argument.
func (o Origin) String() string {
	switch {
	case o.Arg != "":
		return o.Arg
	case o.Line > 0:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	}
	return o.File
}

// Problem is one finding in a user's values.
type Problem struct {
	Severity Severity `json:"severity"`
	// Rule is the stable, kebab-case id of the rule; docs/validation.md has a
	// section for each.
	Rule string `json:"rule"`
	Origin
	// Path is the value's place in the merged values.
	Path string `json:"path,omitempty"`
	// Value is the offending value as JSON, shortened.
	Value string `json:"value,omitempty"`
	// Message says what is wrong and why, Suggestion what to write instead.
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
	// More is how many problems this one stands for, which are not listed.
	More int `json:"more,omitempty"`
}

// String writes the problem on one line, two with a suggestion. What a terminal
// would not show as it is becomes a replacement character.
func (p Problem) String() string {
	text := printable(p.line())
	if p.Suggestion != "" {
		text += "\n    " + printable(p.Suggestion)
	}
	return text
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (p Problem) line() string {
	var b strings.Builder
	if at := p.Origin.String(); at != "" {
		b.WriteString(at + ": ")
	}
	fmt.Fprintf(&b, "%s: ", p.Severity)
	if p.Path != "" {
		b.WriteString(p.Path)
		if p.Value != "" {
			b.WriteString(" = " + p.Value)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s (%s)", p.Message, p.Rule)
	return b.String()
}

// Count returns the number of errors and of warnings, those that are not listed
// among them.
func Count(problems []Problem) (errs, warnings int) {
	for _, p := range problems {
		n := max(1, p.More)
		if p.Severity == Error {
			errs += n
		} else {
			warnings += n
		}
	}
	return errs, warnings
}

// sortUnique orders problems by where they are and drops repetitions.
func sortUnique(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Arg, b.Arg), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(problems)
}
