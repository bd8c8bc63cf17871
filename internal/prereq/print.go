package prereq

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "short", "json", "yaml", "junit", "html"} }

// Write prints the whole report in one of Formats, without colours.
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "table", "short":
		p := Printer{W: w, Short: format == "short"}
		for _, f := range r.Findings {
			if err := p.Finding(f); err != nil {
				return err
			}
		}
		return p.Verdict(r)
	case "html":
		return r.writeHTML(w)
	case "junit":
		return r.junit(w)
	}
	return printout.Document(w, r, format, Formats())
}

// Printer prints findings for a person, as they come.
type Printer struct {
	W io.Writer
	// Short leaves out what is well or was skipped.
	Short bool
	// Terminal allows colours and glyphs.
	Terminal bool

	category string
	// skipped are the last findings, all skipped for one reason, and done the groups
	// before them; none is printed yet.
	skipped []Finding
	done    []group
}

// marks are the glyphs and their colours, and the words where there is no
// terminal, which a screen reader or grep can distinguish.
var marks = map[Result]struct{ glyph, color, word string }{
	OK:      {"√", "32;1", "ok"},
	Warning: {"‼", "33;1", "warning"},
	Error:   {"×", "31;1", "error"},
	Skipped: {"-", "2", "skipped"},
}

// Starting names the check that is being made, on a terminal, until the next
// line takes its place.
func (p *Printer) Starting(c Check) {
	if p.Terminal {
		// Only a sign of life.
		_, _ = fmt.Fprintf(p.W, "\r\x1b[K… %s", c.ID) // progress: the checks go on without a reader
	}
}

// Progress says how far the probe is, in the same place.
func (p *Printer) Progress(done, all int) {
	if p.Terminal {
		// Only a sign of life.
		_, _ = fmt.Fprintf(p.W, "\r\x1b[K… probe.ran: %d of %d groups of nodes", done, all) // as above
	}
}

// clear takes the sign of life away.
func (p *Printer) clear() string {
	if p.Terminal {
		return "\r\x1b[K"
	}
	return ""
}

// Finding prints one finding, under the heading of its category.
func (p *Printer) Finding(f Finding) error {
	if p.Short && (f.Result == OK || f.Result == Skipped) {
		return nil
	}
	var b strings.Builder
	if f.Result == Skipped && strings.HasPrefix(f.Observed, dependsOn) {
		p.hold(f)
		return nil
	}
	b.WriteString(p.skippedLines())
	b.WriteString(p.clear())
	if f.Category != p.category {
		if p.category != "" {
			b.WriteByte('\n')
		}
		p.category = f.Category
		b.WriteString(f.Category + "\n" + strings.Repeat("-", len(f.Category)) + "\n")
	}
	fmt.Fprintf(&b, "%s %s: %s%s\n", p.mark(f.Result), f.ID, headline(f), duration(f))
	if f.Result == Error || f.Result == Warning {
		width := printout.Width(p.W)
		for _, d := range f.Details {
			printout.Wrap(&b, "    ", d, width)
		}
		printout.Wrap(&b, "    why: ", f.Why, width)
		printout.Wrap(&b, "    do:  ", f.Remedy, width)
		printout.Wrap(&b, "    see: ", f.Link, width)
	}
	_, err := io.WriteString(p.W, b.String())
	return err
}

// dependsOn begins what is said of a check that another one makes pointless.
const dependsOn = "depends on "

// hold keeps a skipped check, to be told together with those that are skipped for
// the same reason.
func (p *Printer) hold(f Finding) {
	if n := len(p.skipped); n > 0 && p.skipped[n-1].Observed != f.Observed {
		// Printed with the next finding, or the verdict.
		p.done = append(p.done, group{p.skipped[0].ID, p.skipped[0].Observed, len(p.skipped)})
		p.skipped = nil
	}
	p.skipped = append(p.skipped, f)
}

// group is a number of checks that were skipped for one reason.
type group struct {
	first, why string
	n          int
}

// skippedLines are the lines of what was skipped since the last finding.
func (p *Printer) skippedLines() string {
	if len(p.skipped) > 0 {
		p.done = append(p.done, group{p.skipped[0].ID, p.skipped[0].Observed, len(p.skipped)})
	}
	var b strings.Builder
	for _, g := range p.done {
		what := g.first
		if g.n > 1 {
			what = fmt.Sprintf("%s and %d more", g.first, g.n-1)
		}
		if p.Terminal {
			// Elsewhere the mark is the word.
			what += ": skipped"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", p.mark(Skipped), what, g.why)
	}
	p.done, p.skipped = nil, nil
	return b.String()
}

// headline is what holds, or what was seen instead.
func headline(f Finding) string {
	switch f.Result {
	case OK:
		return f.Title + " (" + printout.Line(f.Observed) + ")"
	case Skipped:
		if strings.HasPrefix(f.Observed, "not ") {
			return printout.Line(f.Observed)
		}
		return "not checked: " + printout.Line(f.Observed)
	}
	return printout.Line(f.Observed) + " [" + f.Reason + "]"
}

// duration tells times that a person notices.
func duration(f Finding) string {
	if f.DurationMS < 100 {
		return ""
	}
	return fmt.Sprintf(" %s", (time.Duration(f.DurationMS) * time.Millisecond).Round(100*time.Millisecond))
}

func (p *Printer) mark(r Result) string {
	m := marks[r]
	if !p.Terminal {
		return fmt.Sprintf("%-7s", m.word)
	}
	return "\x1b[" + m.color + "m" + m.glyph + "\x1b[0m"
}

// Verdict prints the last line.
func (p *Printer) Verdict(r *Report) error {
	result := OK
	switch {
	case !r.OK:
		result = Error
	case r.Warnings > 0:
		result = Warning
	}
	gap := "\n"
	if p.category == "" {
		gap = ""
	}
	_, err := fmt.Fprintf(p.W, "%s%s%s%s %s\n", p.clear(), p.skippedLines(), gap, p.mark(result), r.Verdict)
	return err
}

// The parts of JUnit's XML that CI systems read.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// junit writes warnings as passed with a text, since JUnit knows none.
func (r *Report) junit(w io.Writer) error {
	suite := junitSuite{Name: "pfring prereq check", Tests: len(r.Findings), Failures: r.Errors, Skipped: r.Skipped, Time: seconds(r.DurationMS)}
	for _, f := range r.Findings {
		c := junitCase{Class: f.Category, Name: f.ID, Time: seconds(f.DurationMS)}
		text := strings.Join(append(f.Details, "why: "+f.Why, "do: "+f.Remedy, "see: "+f.Link), "\n")
		switch f.Result {
		case Error:
			c.Failure = &junitMessage{Message: f.Observed, Type: f.Reason, Text: text}
		case Skipped:
			c.Skipped = &junitMessage{Message: f.Observed}
		case Warning:
			c.Out = "warning: " + f.Observed + "\n" + text
		case OK:
			c.Out = f.Observed
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(ms int64) string { return fmt.Sprintf("%.3f", float64(ms)/1000) }
