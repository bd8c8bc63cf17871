// Package webpage writes the reports that are HTML: one page that needs nothing
// else, in the same look for every command. What stands in it is the reports' own
// business.
package webpage

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// State is good, bad, or neither. Each has a word and a mark of its own, so that
// none is reported by color alone.
type State string

// The states.
const (
	Good    State = "good"
	Bad     State = "bad"
	Warn    State = "warn"
	Neutral State = "neutral"
)

// Where says what a report is about, and when it was made.
type Where struct {
	// Cluster is the address of its API server, Context that of the kubeconfig;
	// without a cluster, Instead says where the nodes are from.
	Cluster, Context, Namespace, Instead string
	Made                                 time.Time
}

// Page is a report.
type Page struct {
	Title   string
	State   State
	Verdict string
	Where   Where
	// Meta are lines below the title.
	Meta     []string
	Tiles    []Tile
	Warnings []string
	Sections []Section
}

// Tile is a number at the top.
type Tile struct {
	Number int
	Label  string
	State  State
}

// Section is a part of a page: findings, then a table.
type Section struct {
	Title    string
	Findings []Finding
	Table    *Table
	// Summary, if not "", folds the table away behind this text; Open leaves it
	// open at first.
	Summary string
	Open    bool
	// Filter offers to show only the rows that are not good.
	Filter bool
}

// Finding is one thing to read, and to do.
type Finding struct {
	State State
	// Lead says how many it concerns; Example is one of them.
	Lead, Example, Message string
	Details                []string
	// Do is what to do, Code the stable name, Link where to read on.
	Do, Why, Code, Link string
}

// Table is a table; a row's state is that of its first cell with one.
type Table struct {
	Head []string
	Rows [][]Cell
}

// Cell is one cell.
type Cell struct {
	Text string
	// Code shows it as a name, which is not broken.
	Code bool
	// State shows the text with a mark.
	State State
	// Bar, if not nil, stands after the text.
	Bar *Bar
}

// Bar shows parts of a whole by length, of which Most is the longest.
type Bar struct {
	Parts []Part
	Most  int
}

// Part is one part of a bar.
type Part struct {
	State State
	N     int
	Label string
}

// Text says the bar in words.
func (b Bar) Text() string {
	var words []string
	for _, p := range b.Parts {
		if p.N > 0 {
			words = append(words, fmt.Sprintf("%d %s", p.N, p.Label))
		}
	}
	return strings.Join(words, ", ")
}

// State is that of the row: of its first cell that has one.
func rowState(row []Cell) State {
	for _, c := range row {
		if c.State != "" {
			return c.State
		}
	}
	return Neutral
}

//go:embed page.html
var source string

var page = template.New("page").Funcs(template.FuncMap{
	"percent": func(part, all int) string {
		if all == 0 {
			return "0"
		}
		return fmt.Sprintf("%.2f", 100*float64(part)/float64(all))
	},
	"mark":  func(s State) string { return map[State]string{Good: "√", Bad: "×", Warn: "‼", Neutral: "–"}[s] },
	"row":   rowState,
	"plain": printout.Plain,
	"prose": prose,
	"name":  name,
	"date":  func(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") },
})

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	t, err := page.Clone()
	if err == nil {
		t, err = t.Parse(source)
	}
	if err != nil {
		return fmt.Errorf("cannot write HTML: %w", err)
	}
	if p.Where.Made.IsZero() {
		p.Where.Made = time.Now()
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write HTML: %w", err)
	}
	return nil
}

// Web is where the project's pages are on the web.
const Web = "https://github.com/kubeshark/kubeshark-pfring/blob/main/"

var address = lazyregexp.New(`https://[^\s()<>"]*[^\s()<>".,;:]|\bdocs/[a-z-]+\.md(#[a-z0-9-]+)?|` + "`[^`]+`")

// prose escapes a text, links addresses and pages of the documentation, and shows
// what stands in backquotes as code.
func prose(s string) template.HTML {
	s = printout.Plain(s)
	var b strings.Builder
	at := 0
	for _, m := range address().FindAllStringIndex(s, -1) {
		b.WriteString(template.HTMLEscapeString(s[at:m[0]]))
		text := s[m[0]:m[1]]
		switch {
		case strings.HasPrefix(text, "`"):
			b.WriteString("<code>" + template.HTMLEscapeString(strings.Trim(text, "`")) + "</code>")
		case strings.HasPrefix(text, "docs/"):
			b.WriteString(`<a href="` + template.HTMLEscapeString(Web+text) + `">` + template.HTMLEscapeString(text) + `</a>`)
		default:
			b.WriteString(`<a href="` + template.HTMLEscapeString(text) + `">` + template.HTMLEscapeString(text) + `</a>`)
		}
		at = m[1]
	}
	b.WriteString(template.HTMLEscapeString(s[at:]))
	return template.HTML(b.String()) // #nosec G203 -- each part is escaped above
}

// name escapes a name and lets a long one break after a slash, a colon or a comma,
// and nowhere else.
func name(s string) template.HTML {
	s = printout.Plain(s)
	escaped := template.HTMLEscapeString(s)
	if len(s) > 40 {
		for _, after := range []string{"/", ":", ","} {
			escaped = strings.ReplaceAll(escaped, after, after+"<wbr>")
		}
	}
	return template.HTML(escaped) // #nosec G203 -- it is escaped above
}
