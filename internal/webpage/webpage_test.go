package webpage

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func example() Page {
	return Page{
		Title: "A report", State: Warn, Verdict: "1 of 2 nodes <b>", Warnings: []string{"see docs/build.md#by-hand"},
		Where: Where{Cluster: "https://10.0.0.1:6443", Context: "lab", Namespace: "kubeshark", Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Meta:  []string{"Mode auto"},
		Tiles: []Tile{{Number: 2, Label: "nodes"}, {Number: 1, Label: "supported", State: Good}},
		Sections: []Section{{
			Title: "All", Summary: "2 nodes", Open: true, Filter: true,
			Findings: []Finding{{State: Bad, Lead: "1 node", Example: "n-1", Message: "`pfring plan` says <script>alert(1)</script>", Do: "read https://kmm.sigs.k8s.io/a?b=c&d.", Code: "a-reason", Link: "javascript:alert(1)"}},
			Table: &Table{Head: []string{"Node", "State", "Share"}, Rows: [][]Cell{
				{{Text: "n-1.example.com/</td>", Code: true}, {Text: "no", State: Bad}, {Bar: &Bar{Most: 2, Parts: []Part{{Good, 1, "supported"}, {Bad, 1, "not"}, {Warn, 0, "unknown"}}}}},
				{{Text: strings.Repeat("registry.example.com/a", 3), Code: true}, {Text: "yes", State: Good}, {}},
			}},
		}},
	}
}

func TestAPageSaysWhatAndWhenAndNothingByColourAlone(t *testing.T) {
	var b strings.Builder
	if err := example().Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"Cluster <code>https://10.0.0.1:6443</code>, context <code>lab</code>, namespace <code>kubeshark</code>", "2026-01-02 03:04:05 UTC",
		`<span aria-hidden="true">×</span> no`, `<span aria-hidden="true">√</span> yes`, "1 supported, 1 not<div", `<tr class="bad">`, `<tr class="good">`,
		"<code>n-1.example.com/&lt;/td&gt;</code>", `registry.example.com/<wbr>a`, "<code>pfring plan</code> says &lt;script&gt;",
		`<a href="https://github.com/kubeshark/kubeshark-pfring/blob/main/docs/build.md#by-hand">docs/build.md#by-hand</a>`,
		`<a href="https://kmm.sigs.k8s.io/a?b=c&amp;d">https://kmm.sigs.k8s.io/a?b=c&amp;d</a>.`, "@media print", "Show only what is not √",
	} {
		if !strings.Contains(text, want) {
			_, body, _ := strings.Cut(text, "<body>")
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	for _, bad := range []string{"<script", `href="javascript`, "ZgotmplZ\" onclick", "<b>&"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s stands in the page", bad)
		}
	}
	if fetched := regexp.MustCompile(`(src|@import|url\()`).FindString(text); fetched != "" {
		t.Errorf("the page fetches something: %s", fetched)
	}
}

// A name of any length leaves the other columns on the screen, and on paper, where
// nobody can scroll.
func TestALongNameTakesNoColumnAway(t *testing.T) {
	for _, want := range []string{
		"td code.long { white-space: normal; overflow-wrap: anywhere; }", "td:has(code.long) { min-width: 16rem; }",
		"  td, td.prose, td:has(code.long) { display: flex; gap: .5rem; min-width: 0;", "  td code.long { overflow-wrap: anywhere; }\n  td:has(code.long) { min-width: 12em; }",
	} {
		if !strings.Contains(source, want) {
			t.Errorf("the style of a page has no %s", want)
		}
	}
	p := example()
	p.Sections[0].Table.Rows[0][0].Text = strings.Repeat("n", 253)
	var b strings.Builder
	if err := p.Write(&b); err != nil || !strings.Contains(b.String(), `<code class="long">nnnnn`) {
		t.Errorf("%v: a name of 253 letters is not marked as long", err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add("`a` https://x docs/a.md <b>")
	f.Add("https://\"onmouseover=alert(1)//")
	f.Fuzz(func(t *testing.T, s string) {
		plain := strings.NewReplacer("<code>", "", "</code>", "", "</a>", "", "<wbr>", "").Replace
		for _, out := range []string{string(prose(s)), string(name(s))} {
			out = regexp.MustCompile(`<a href="[^"<>]*">`).ReplaceAllString(plain(out), "")
			if strings.ContainsAny(out, `<>"`) {
				t.Errorf("%q becomes %q", s, out)
			}
		}
	})
}
