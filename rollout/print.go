package rollout

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "wide", "json", "yaml"} }

// Write prints the report in one of Formats.
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "table", "wide":
		_, err := io.WriteString(w, r.table(format == "wide"))
		return err
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	case "yaml":
		data, err := yaml.Marshal(r)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		_, err = w.Write(data)
		return err
	}
	return fmt.Errorf("%q is none of %s", format, strings.Join(Formats(), ", "))
}

// table prints the nodes, what to do and the verdict.
func (r *Report) table(wide bool) string {
	header := []string{"Node", "Wanted", "Backend", "PF_RING", "Since"}
	if wide {
		header = append(header, "State", "Kernel Version", "Arch", "Verified", "Pod")
	}
	rows := [][]string{append(header, "Reason")}
	for _, n := range r.Nodes {
		row := []string{n.Node, yesNo(n.Wanted), string(n.Backend), n.Version, r.age(n.Since)}
		if wide {
			row = append(row, string(n.State), n.Kernel, n.Arch, string(n.Verified), n.Pod)
		}
		rows = append(rows, append(row, n.words(wide)))
	}
	var b strings.Builder
	writeRows(&b, rows)
	if r.Module != "" {
		b.WriteString("\nModule: " + printable(r.Module) + "\n")
	}
	r.remedies(&b)
	b.WriteString("\n" + r.Verdict + "\n")
	return b.String()
}

// words are the reason for a person. A node that is well needs no long story.
func (n Node) words(wide bool) string {
	switch {
	case n.State == OK && !wide:
		return string(n.Reason)
	case n.Reason == "":
		return n.Message
	}
	return string(n.Reason) + ": " + n.Message
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (r *Report) age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(r.now.Sub(t))
}

// remedies says each remedy once, with how many nodes it is for.
func (r *Report) remedies(b *strings.Builder) {
	var order []string
	nodes := map[string][]string{}
	for _, n := range r.Nodes {
		if n.Wanted && n.Remedy != "" {
			if nodes[n.Remedy] == nil {
				order = append(order, n.Remedy)
			}
			nodes[n.Remedy] = append(nodes[n.Remedy], n.Node)
		}
	}
	if len(order) > 0 {
		b.WriteString("\nWhat to do\n")
	}
	for _, text := range order {
		who := nodes[text][0]
		if more := len(nodes[text]) - 1; more > 0 {
			who = fmt.Sprintf("%s and %d more", who, more)
		}
		fmt.Fprintf(b, "  %s: %s\n", who, printable(text))
	}
}

// writeRows aligns the columns. Writing to memory cannot fail.
func writeRows(b *strings.Builder, rows [][]string) {
	var aligned strings.Builder
	t := tabwriter.NewWriter(&aligned, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for _, cell := range row {
			if cell == "" {
				cell = "-"
			}
			// The tab at a row's end keeps the columns of the rows around it together.
			_, _ = fmt.Fprint(t, printable(cell)+"\t")
		}
		_, _ = fmt.Fprintln(t)
	}
	_ = t.Flush()
	for line := range strings.Lines(aligned.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

// printable drops what would break a table or steer a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case c < ' ' || c >= 0x7f && c < 0xa0:
			return -1
		}
		return c
	}, s)
}
