package rollout

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

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
		_, err := io.WriteString(w, r.table(format == "wide", printout.Width(w)))
		return err
	case "html":
		return r.writeHTML(w)
	}
	return printout.Document(w, r, format, Formats())
}

// table prints the nodes, what to do and the verdict.
func (r *Report) table(wide bool, width int) string {
	rows := r.rows(wide, r.Nodes)
	var b strings.Builder
	causes := r.shared()
	if !wide {
		shorten(rows[1:], r.Nodes, causes)
	} else {
		width = 0
	}
	if len(r.Nodes) > 0 {
		printout.TableIn(&b, rows, width)
	}
	if r.Module != "" {
		b.WriteByte('\n')
		printout.Wrap(&b, "", "Module: "+r.Module, width)
	}
	for _, p := range r.Preflights {
		b.WriteByte('\n')
		printout.Wrap(&b, "", p.String(), width)
	}
	for _, w := range r.Workers {
		b.WriteByte('\n')
		printout.Wrap(&b, "", w.String(), width)
	}
	remedies(&b, causes, wide, width)
	b.WriteByte('\n')
	printout.Wrap(&b, "", r.Verdict, width)
	return b.String()
}

// rows are those of nodes, after the header.
func (r *Report) rows(wide bool, nodes []Node) [][]string {
	header := []string{"Node", "Wanted", "Backend", "PF_RING", "Since"}
	if wide {
		header = append(header, "State", "Kernel Version", "Arch", "Verified", "Pod")
	}
	rows := [][]string{append(header, "Reason")}
	for _, n := range nodes {
		row := []string{n.Node, text.YesNo(n.Wanted), string(n.Backend), n.Version, r.age(n.Since)}
		if wide {
			row = append(row, string(n.State), n.Kernel, n.Arch, string(n.Verified), n.Pod)
		}
		rows = append(rows, append(row, n.words(wide)))
	}
	return rows
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

// cause is why wanted nodes have no module, or what is to be done for them: what is
// the same for several is reported once.
type cause struct {
	words, remedy string
	nodes         []string
}

// anyNode stands for a node's name in a command that each of several nodes needs.
const anyNode = " \x00 "

// shared is the node's remedy as it is for other nodes with the same trouble.
func (n Node) shared() string {
	return strings.ReplaceAll(n.Remedy, " "+n.Node+" ", anyNode)
}

// mostNodes is how many nodes a command names.
const mostNodes = 10

// remedyFor is a shared remedy for nodes: one command that names them all, as kubectl
// takes them.
func remedyFor(shared string, nodes []string) string {
	if !strings.Contains(shared, anyNode) {
		return shared
	}
	few := nodes[:min(mostNodes, len(nodes))]
	text := strings.ReplaceAll(shared, anyNode, " "+strings.Join(few, " ")+" ")
	if more := len(nodes) - len(few); more > 0 {
		text += fmt.Sprintf(" (and %d more nodes: pfring status -o name --only-failing)", more)
	}
	return text
}

// long is the length, in characters, from which words that several nodes have in
// common are reported below the table alone.
const long = 60

// shared are the causes of the wanted nodes, in the order in which they come up.
func (r *Report) shared() []*cause {
	type key struct{ words, remedy string }
	at := map[key]*cause{}
	var list []*cause
	for _, n := range r.Nodes {
		words := n.words(false)
		if !n.Wanted || n.Remedy == "" && (n.State == OK || utf8.RuneCountInString(words) < long) {
			continue
		}
		k := key{words, n.shared()}
		c := at[k]
		if c == nil {
			c = &cause{words: words, remedy: k.remedy}
			at[k] = c
			list = append(list, c)
		}
		c.nodes = append(c.nodes, n.Node)
	}
	return list
}

// shorten takes long words that several nodes share out of their rows.
func shorten(rows [][]string, nodes []Node, causes []*cause) {
	shared := map[string]bool{}
	for _, c := range causes {
		if len(c.nodes) > 1 && utf8.RuneCountInString(c.words) >= long {
			shared[c.words] = true
		}
	}
	for i, n := range nodes {
		last := len(rows[i]) - 1
		if n.Wanted && shared[rows[i][last]] {
			rows[i][last] = cmp.Or(string(n.Reason), string(n.State)) + ", see below"
		}
	}
}

// remedies says each cause once, with how many nodes it is for and what to do.
func remedies(b *strings.Builder, causes []*cause, wide bool, width int) {
	title := "\nWhat to do\n"
	byRemedy := map[string]*cause{}
	for _, c := range causes {
		separate := utf8.RuneCountInString(c.words) >= long && len(c.nodes) > 1 && !wide
		if c.remedy == "" && !separate {
			continue
		}
		if same := byRemedy[c.remedy]; same != nil && !separate {
			same.nodes = append(same.nodes, c.nodes...)
			continue
		}
		if c.remedy != "" && !separate {
			byRemedy[c.remedy] = c
		}
	}
	for _, c := range causes {
		separate := utf8.RuneCountInString(c.words) >= long && len(c.nodes) > 1 && !wide
		if !separate && byRemedy[c.remedy] != c {
			continue
		}
		b.WriteString(title)
		title = ""
		who := c.nodes[0]
		if more := len(c.nodes) - 1; more > 0 {
			who = fmt.Sprintf("%s and %d more", who, more)
		}
		if !separate {
			printout.Wrap(b, "  ", who+": "+remedyFor(c.remedy, c.nodes), width)
			continue
		}
		printout.Wrap(b, "  ", who+": "+c.words, width)
		if c.remedy != "" {
			printout.Wrap(b, "    ", remedyFor(c.remedy, c.nodes), width)
		}
	}
}
