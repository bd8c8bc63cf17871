package difference

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "json", "yaml"} }

// Write prints the report in one of Formats.
func (r *Report) Write(w io.Writer, format string) error {
	if format == "table" {
		_, err := io.WriteString(w, r.table())
		return err
	}
	return printout.Document(w, r, format, Formats())
}

// table prints the nodes, the objects with their fields, and the verdict.
func (r *Report) table() string {
	var b strings.Builder
	if len(r.Nodes) > 0 {
		rows := [][]string{{"Node", "Effect", "Before", "After"}}
		for _, n := range r.Nodes {
			rows = append(rows, []string{n.Node, n.Effect, n.Before, n.After})
		}
		printout.Table(&b, rows)
		if r.Unchanged > 0 {
			b.WriteString(text.Count(r.Unchanged, "node") + " unchanged\n")
		}
		b.WriteByte('\n')
	}
	signs := map[string]string{Added: "+", Removed: "-", Changed: "~"}
	for _, c := range r.Objects {
		fmt.Fprintf(&b, "%s %s %s\n", signs[c.Action], printout.Line(c.Kind), printout.Line(c.Name))
		for _, f := range c.Fields {
			switch {
			case f.Before == "":
				fmt.Fprintf(&b, "    + %s: %s\n", printout.Line(f.Path), printout.Line(f.After))
			case f.After == "":
				fmt.Fprintf(&b, "    - %s: %s\n", printout.Line(f.Path), printout.Line(f.Before))
			default:
				fmt.Fprintf(&b, "    ~ %s: %s → %s\n", printout.Line(f.Path), printout.Line(f.Before), printout.Line(f.After))
			}
		}
	}
	if len(r.Objects) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.Verdict + "\n")
	return b.String()
}
