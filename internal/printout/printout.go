// Package printout writes the forms that every report has: JSON, YAML, and tables
// for a terminal. What stands in them is the reports' own business.
package printout

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"sigs.k8s.io/yaml"
)

// JSON writes v as one document that a person can read too.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// YAML writes v as one document.
func YAML(w io.Writer, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	_, err = w.Write(data)
	return err
}

// Line makes a text fit for one line of a terminal: what a cluster or a server
// says may hold what breaks lines, steers the terminal, or turns the direction of
// writing.
func Line(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return -1
		}
		return c
	}, s)
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
	_ = t.Flush()
	for line := range strings.Lines(aligned.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}
