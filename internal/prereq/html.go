package prereq

import (
	"io"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// states are what results are on a page.
var states = map[Result]webpage.State{OK: webpage.Good, Warning: webpage.Warn, Error: webpage.Bad, Skipped: webpage.Neutral}

// writeHTML writes one page that needs nothing else.
func (r *Report) writeHTML(w io.Writer) error {
	p := webpage.Page{Title: "PF_RING prerequisites", Verdict: r.Verdict, State: webpage.Good, Where: r.Where}
	switch {
	case !r.OK:
		p.State = webpage.Bad
	case r.Warnings > 0:
		p.State = webpage.Warn
	}
	if len(r.Modes) > 0 {
		p.Meta = append(p.Meta, "Mode "+strings.Join(r.Modes, " and "))
	}
	count := map[Result]int{}
	for _, f := range r.Findings {
		count[f.Result]++
	}
	p.Tiles = []webpage.Tile{{Number: len(r.Findings), Label: text.Noun(len(r.Findings), "check")}}
	for _, tile := range []struct {
		result Result
		label  string
	}{{Error, "error"}, {Warning, "warning"}, {OK, "ok"}, {Skipped, "skipped"}} {
		if n := count[tile.result]; n > 0 {
			label := tile.label
			if tile.result == Error || tile.result == Warning {
				label = text.Noun(n, label)
			}
			p.Tiles = append(p.Tiles, webpage.Tile{Number: n, Label: label, State: states[tile.result]})
		}
	}
	var about []webpage.Finding
	t := &webpage.Table{Head: []string{"Check", "Result", "Seen", "Time"}}
	for _, f := range r.Findings {
		if f.Result == Error || f.Result == Warning {
			about = append(about, webpage.Finding{
				State: states[f.Result], Lead: f.ID, Message: f.Observed, Details: f.Details, Why: f.Why, Do: f.Remedy, Code: f.Reason, Link: f.Link,
			})
		}
		seen := f.Observed
		if f.Result == OK {
			seen = f.Title + " (" + f.Observed + ")"
		}
		t.Rows = append(t.Rows, []webpage.Cell{{Text: f.ID, Code: true}, {Text: string(f.Result), State: states[f.Result]}, {Text: seen}, {Text: strings.TrimSpace(duration(f))}})
	}
	if len(about) > 0 {
		p.Sections = append(p.Sections, webpage.Section{Title: "What is wrong, and what to do", Findings: about})
	}
	p.Sections = append(p.Sections, webpage.Section{Title: "All checks", Filter: count[OK] > 0 && count[OK] < len(r.Findings), Table: t})
	return p.Write(w)
}
