package compatibility

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// openRows is the most rows of a table that is shown at once.
const openRows = 50

// states are what the answers are on a page.
var states = map[Supported]webpage.State{
	Yes: webpage.Good, No: webpage.Bad, cannotBeBuilt: webpage.Bad, WillBeBuilt: webpage.Warn, Unknown: webpage.Warn, Excluded: webpage.Neutral,
}

// writeHTML writes one page that needs nothing else.
func (r Report) writeHTML(w io.Writer) error {
	t := r.Totals
	p := webpage.Page{Title: "PF_RING compatibility", Verdict: r.Verdict, State: r.state(), Where: r.Where, Warnings: r.Warnings}
	meta := "Mode " + r.Mode
	if r.Source != "" {
		meta += ", modules from `" + r.Source + "`"
	}
	if r.Verify != "" {
		meta += ", verified by " + r.Verify
	}
	p.Meta = []string{meta}
	p.Tiles = []webpage.Tile{{Number: len(r.Nodes), Label: text.Noun(len(r.Nodes), "node") + ", " + text.Count(len(r.Kernels), "kernel")}}
	for _, tile := range []webpage.Tile{
		{Number: t.Yes, Label: "supported", State: webpage.Good}, {Number: t.No, Label: "not supported", State: webpage.Bad},
		{Number: t.Unknown, Label: "unknown", State: webpage.Warn}, {Number: t.WillBeBuilt, Label: "to be built in the cluster", State: webpage.Warn},
		{Number: t.CannotBeBuilt, Label: "impossible to build", State: webpage.Bad}, {Number: t.Excluded, Label: "not selected", State: webpage.Neutral},
	} {
		if tile.Number > 0 {
			p.Tiles = append(p.Tiles, tile)
		}
	}
	p.Sections = []webpage.Section{{Title: "Kernels by nodes", Table: r.kernelPage()}}
	if findings := r.findingsPage(); len(findings) > 0 {
		p.Sections = append(p.Sections, webpage.Section{Title: "What is missing, and what to do", Findings: findings})
	}
	p.Sections = append(p.Sections, webpage.Section{
		Title: "Nodes", Summary: text.Count(len(r.Nodes), "node"), Open: len(r.Nodes) <= openRows, Filter: t.Yes > 0 && t.Yes < len(r.Nodes), Table: r.nodePage(),
	})
	return p.Write(w)
}

func (r Report) state() webpage.State {
	switch {
	case r.Compatible:
		return webpage.Good
	case r.Totals.No+r.Totals.CannotBeBuilt > 0 || r.Totals.Counted() == 0:
		return webpage.Bad
	}
	return webpage.Warn
}

// kernelPage has the kernels of most nodes first: these are what matters.
func (r Report) kernelPage() *webpage.Table {
	kernels := slices.Clone(r.Kernels)
	slices.SortStableFunc(kernels, func(a, b KernelResult) int { return cmp.Compare(b.Nodes, a.Nodes) })
	most, last := 0, "PF_RING"
	if len(kernels) > 0 {
		most = kernels[0].Nodes
	}
	if r.Mode == "kmm" {
		last = "Image"
	}
	t := &webpage.Table{Head: []string{"Kernel Version", "Arch", "Nodes", "Of them", last}}
	for _, k := range kernels {
		value := webpage.Cell{Text: k.Version}
		if r.Mode == "kmm" {
			value = webpage.Cell{Text: k.Image, Code: k.Image != ""}
		} else if k.Version == "" && k.Yes > 0 {
			value.Text = "version not known"
		}
		t.Rows = append(t.Rows, []webpage.Cell{
			{Text: cmp.Or(k.Kernel, "not reported"), Code: true}, {Text: k.Arch}, {Text: text.Count(k.Nodes, "node")},
			{Bar: &webpage.Bar{Most: most, Parts: []webpage.Part{
				{State: webpage.Good, N: k.Yes, Label: "supported"}, {State: webpage.Bad, N: k.No, Label: "not supported"},
				{State: webpage.Bad, N: k.CannotBeBuilt, Label: "impossible to build"}, {State: webpage.Warn, N: k.WillBeBuilt, Label: "to be built"},
				{State: webpage.Warn, N: k.Unknown, Label: "unknown"}, {State: webpage.Neutral, N: k.Excluded, Label: "not selected"},
			}}},
			value,
		})
	}
	return t
}

func (r Report) findingsPage() []webpage.Finding {
	var list []webpage.Finding
	for _, f := range r.Findings() {
		one := webpage.Finding{
			State: states[f.Supported], Lead: text.Count(f.Nodes, "node"), Example: f.Example, Message: f.Message, Do: f.Remedy, Code: f.Reason, Link: f.Source,
		}
		if f.Nodes > 1 {
			one.Lead += ", such as"
		}
		if f.Also != "" {
			one.Details = []string{f.Also}
		}
		list = append(list, one)
	}
	return list
}

func (r Report) nodePage() *webpage.Table {
	t := &webpage.Table{Head: []string{"Node", "Kernel Version", "Supported", "Arch", "OS", "PF_RING", "Reason"}}
	if r.Mode == "kmm" {
		t.Head[5] = "Mapping"
	}
	for _, n := range r.Nodes {
		value := n.Version
		if r.Mode == "kmm" {
			value = n.Mapping
		}
		t.Rows = append(t.Rows, []webpage.Cell{
			{Text: n.Node, Code: true}, {Text: n.Kernel, Code: n.Kernel != ""},
			{Text: strings.ReplaceAll(string(n.Supported), "-", " "), State: states[n.Supported]},
			{Text: n.Arch}, {Text: n.OS}, {Text: value}, {Text: n.Reason, Code: n.Reason != ""},
		})
	}
	return t
}
