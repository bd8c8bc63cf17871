package rollout

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "wide", "json", "yaml", "html"} }

// Write prints the report in one of Formats.
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "table", "wide":
		_, err := io.WriteString(w, r.table(format == "wide"))
		return err
	case "json":
		return printout.JSON(w, r)
	case "yaml":
		return printout.YAML(w, r)
	case "html":
		return r.writeHTML(w)
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
		row := []string{n.Node, text.YesNo(n.Wanted), string(n.Backend), n.Version, r.age(n.Since)}
		if wide {
			row = append(row, string(n.State), n.Kernel, n.Arch, string(n.Verified), n.Pod)
		}
		rows = append(rows, append(row, n.words(wide)))
	}
	var b strings.Builder
	printout.Table(&b, rows)
	if r.Module != "" {
		b.WriteString("\nModule: " + printout.Line(r.Module) + "\n")
	}
	for _, p := range r.Preflights {
		b.WriteString("\n" + printout.Line(p.String()) + "\n")
	}
	r.remedies(&b)
	b.WriteString("\n" + r.Verdict + "\n")
	return b.String()
}

// words are the reason for a person. A node that is well needs no long story.
func (n Node) words(wide bool) string {
	switch {
	case n.State == OK && !n.Outdated && !wide:
		return string(n.Reason)
	case n.Reason == "":
		return n.Message
	}
	return string(n.Reason) + ": " + n.Message
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
		fmt.Fprintf(b, "  %s: %s\n", who, printout.Line(text))
	}
}
