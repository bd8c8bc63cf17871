package rollout

import (
	"io"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// openRows is the most rows of a table that is shown at once.
const openRows = 50

// state is what a node's state is on a page.
func (n Node) state() webpage.State {
	switch {
	case !n.Wanted:
		return webpage.Neutral
	case n.State == OK && !n.Outdated:
		return webpage.Good
	case n.State == Failed:
		return webpage.Bad
	}
	return webpage.Warn
}

// writeHTML writes one page that needs nothing else.
func (r *Report) writeHTML(w io.Writer) error {
	s := r.Summary
	p := webpage.Page{
		Title: "PF_RING on the nodes", Verdict: r.Verdict, State: webpage.Good, Where: r.Where, Warnings: r.Warnings,
		Meta: []string{"Release `" + r.Release + "`, mode " + r.Mode},
	}
	p.Where.Made = r.now
	switch {
	case r.Complete:
	case s.Failed > 0 || s.Wanted == 0:
		p.State = webpage.Bad
	default:
		p.State = webpage.Warn
	}
	p.Tiles = []webpage.Tile{{Number: s.Wanted, Label: "of " + text.Count(s.Nodes, "node") + " wanted"}}
	for _, tile := range []webpage.Tile{
		{Number: s.OK, Label: "with PF_RING", State: webpage.Good}, {Number: s.Fallback, Label: "on libpcap", State: webpage.Warn},
		{Number: s.Failed, Label: "failing", State: webpage.Bad}, {Number: s.Pending, Label: "pending", State: webpage.Warn},
		{Number: s.Unknown, Label: "unknown", State: webpage.Warn}, {Number: s.Outdated, Label: "with another module than asked for", State: webpage.Warn},
	} {
		if tile.Number > 0 {
			p.Tiles = append(p.Tiles, tile)
		}
	}
	about := r.causes()
	if r.Module != "" {
		about = append([]webpage.Finding{{State: webpage.Neutral, Lead: "Module", Message: r.Module}}, about...)
	}
	for _, f := range r.Workers {
		about = append(about, webpage.Finding{State: webpage.Neutral, Message: f.String()})
	}
	for _, f := range r.Preflights {
		about = append(about, webpage.Finding{State: webpage.Neutral, Message: f.String()})
	}
	if len(about) > 0 {
		p.Sections = append(p.Sections, webpage.Section{Title: "Why, and what to do", Findings: about})
	}
	t := &webpage.Table{Head: []string{"Node", "State", "Backend", "PF_RING", "Since", "Kernel Version", "Arch", "Verified", "Reason"}}
	for _, n := range r.Nodes {
		state := string(n.State)
		if !n.Wanted {
			state = "not wanted"
		}
		reason := webpage.Cell{Text: string(n.Reason), Code: true}
		if n.Reason == "" {
			// Such as why the node is not wanted.
			reason = webpage.Cell{Text: n.Message}
		}
		t.Rows = append(t.Rows, []webpage.Cell{
			{Text: n.Node, Code: true}, {Text: state, State: n.state()}, {Text: string(n.Backend)}, {Text: n.Version}, {Text: r.age(n.Since)},
			{Text: n.Kernel, Code: n.Kernel != ""}, {Text: n.Arch}, {Text: string(n.Verified)}, reason,
		})
	}
	p.Sections = append(p.Sections, webpage.Section{
		Title: "Nodes", Summary: text.Count(len(r.Nodes), "node"), Open: len(r.Nodes) <= openRows, Filter: s.OK > 0 && s.OK < len(r.Nodes), Table: t,
	})
	return p.Write(w)
}

// causes says each cause once, with how many nodes it is for, those of most first.
func (r *Report) causes() []webpage.Finding {
	type cause struct {
		reason          string
		message, remedy string
	}
	at, nodes := map[cause]int{}, [][]string{}
	var list []webpage.Finding
	for _, n := range r.Nodes {
		if n.state() == webpage.Good || !n.Wanted {
			continue
		}
		c := cause{string(n.Reason), n.Message, n.shared()}
		i, ok := at[c]
		if !ok {
			i = len(list)
			at[c] = i
			list = append(list, webpage.Finding{State: n.state(), Example: n.Node, Message: n.Message, Code: string(n.Reason)})
			nodes = append(nodes, nil)
		}
		nodes[i] = append(nodes[i], n.Node)
		list[i].Do = remedyFor(c.remedy, nodes[i])
		list[i].Lead = text.Count(len(nodes[i]), "node")
		if len(nodes[i]) > 1 {
			list[i].Lead += ", such as"
		}
	}
	return list
}
