// Package printout writes the forms that every report has: JSON, YAML, and tables
// for a terminal. What stands in them is the reports' own business.
package printout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// JSON writes v as one document that a person can read too. Characters that steer a
// terminal are written as escapes.
func JSON(w io.Writer, v any) error {
	data, err := plainJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Document writes v as one document in format, json or yaml, for reports that know
// only formats besides those by themselves.
func Document(w io.Writer, v any, format string, formats []string) error {
	switch format {
	case "json":
		return JSON(w, v)
	case "yaml":
		return YAML(w, v)
	}
	return fmt.Errorf("invalid --output %q: must be one of %s", format, strings.Join(formats, ", "))
}

// YAML writes v as one document.
func YAML(w io.Writer, v any) error {
	data, err := plainJSON(v)
	if err == nil {
		data, err = yaml.JSONToYAML(data)
		// The library escapes control characters, but not what turns the direction of
		// writing; no name or message needs it.
		data = bytes.Map(func(c rune) rune {
			if unicode.Is(unicode.Cf, c) {
				return -1
			}
			return c
		}, data)
	}
	if err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	_, err = w.Write(data)
	return err
}

// plainJSON is v as JSON in which every character is printable. JSON has others in
// strings only, where an escape means the same.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if !bytes.ContainsFunc(b.Bytes(), unprintable) {
		return b.Bytes(), nil
	}
	var plain bytes.Buffer
	for _, c := range b.String() {
		if unprintable(c) {
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&plain, "\\u%04x", unit)
			}
			continue
		}
		plain.WriteRune(c)
	}
	return plain.Bytes(), nil
}

func unprintable(c rune) bool {
	return c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c >= 0xfffe && c <= 0xffff)
}

// Line makes a text fit for one line of a terminal or of a CI's log: what a cluster
// or a server says may hold what breaks lines, steers the terminal, turns the
// direction of writing, or begins a command to the CI as GitHub's "::error::" does.
func Line(s string) string {
	s = Plain(s)
	if !strings.Contains(s, "::") && !strings.Contains(s, "##[") {
		return s
	}
	if rest, is := strings.CutPrefix(strings.TrimSpace(s), "::"); is {
		s = ": :" + rest
	}
	return strings.ReplaceAll(s, "##[", "## [")
}

// Plain takes out of a text what could break lines, steer a terminal that shows it or
// turn the direction of writing.
func Plain(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == 0x85 || c == 0x2028 || c == 0x2029:
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return -1
		}
		return c
	}, s)
}

// Lines is Line for each line of a text of several.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		lines[i] = line[:indent] + Line(line[indent:])
	}
	return strings.Join(lines, "\n")
}

// Cell makes a text fit for a cell of CSV: a spreadsheet takes what begins with one
// of these characters for a formula.
func Cell(s string) string {
	if s = Line(s); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// bare is what a shell takes as it stands.
var bare = lazyregexp.New(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Shell quotes one argument for a shell, for commands that a person is to copy.
func Shell(s string) string {
	if s = Line(s); bare().MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Table aligns columns. An empty cell is shown as -, unless it is the last.
func Table(b *strings.Builder, rows [][]string) {
	var aligned strings.Builder
	t := tabwriter.NewWriter(&aligned, 0, 8, 2, ' ', 0)
	// Writing to memory cannot fail.
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" && i < len(row)-1 {
				cell = "-"
			}
			// The tab at a row's end keeps the columns of the rows around it together.
			_, _ = fmt.Fprint(t, Line(cell)+"\t")
		}
		_, _ = fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(aligned.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}
