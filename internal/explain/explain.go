// Package explain finds what the documentation says of one name: a reason, a
// check, a rule of validate, or a key of the values. It reads only the pages that
// are built into the program, so that it answers without a network.
package explain

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubeshark/kubeshark-pfring/docs"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// web is where the same pages are on the web.
const web = webpage.Web + "docs/"

// Topic is one name, and what the documentation says of it.
type Topic struct {
	Name string `json:"name"`
	// Kind is reason, check, rule or value.
	Kind string `json:"kind"`
	// Summary is one line of it, for lists.
	Summary string `json:"summary"`
	// Page and Link are the page that it is from, "" for a value.
	Page string `json:"page,omitempty"`
	Link string `json:"link,omitempty"`
	// Markdown is the text.
	Markdown string `json:"markdown"`
}

// Find returns everything that has this name. A key of the values may be given
// without its beginning: source.verify.
func Find(name string) ([]Topic, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	name = strings.Trim(name, "`. ")
	var found []Topic
	for _, t := range all {
		if t.Name == name || strings.EqualFold(t.Name, name) {
			found = append(found, t)
		}
	}
	if len(found) > 0 {
		// What a node reports comes before what a check or a report says of it.
		slices.SortStableFunc(found, func(a, b Topic) int { return cmp.Compare(a.rank(), b.rank()) })
		return found, nil
	}
	plain := strings.NewReplacer("[]", "", "[0]", "").Replace
	for _, t := range all {
		if t.Kind == "value" && (plain(t.Name) == plain(name) || strings.HasSuffix(plain(t.Name), "."+plain(name))) {
			found = append(found, t)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	if near := valuesschema.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("unknown name %q, did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("unknown name %q: must be a reason, a check, a rule of validate or a key of the values", name)
}

func (t Topic) rank() int {
	if t.Kind == "reason" && t.Page != "reasons.md" {
		return 1
	}
	return 0
}

// All lists every name, by kind.
func All() ([]Topic, error) {
	topics, err := read()
	return slices.Clone(topics), err
}

// read reads the pages once; they never change.
var read = sync.OnceValues(func() ([]Topic, error) {
	pages, err := fs.Glob(docs.FS(), "*.md")
	if err != nil {
		return nil, fmt.Errorf("cannot read the built-in documentation: %w", err)
	}
	var all []Topic
	for _, page := range pages {
		kind := kindOf(page)
		if kind == "" {
			continue
		}
		data, err := fs.ReadFile(docs.FS(), page)
		if err != nil {
			return nil, fmt.Errorf("cannot read the built-in documentation: %w", err)
		}
		all = append(all, topics(page, kind, string(data))...)
	}
	values, err := values()
	if err != nil {
		return nil, err
	}
	return append(all, values...), nil
})

// kindOf is what the sections of a page are, "" for a page about other things.
func kindOf(page string) string {
	name := strings.TrimSuffix(path.Base(page), ".md")
	switch {
	case name == "reasons":
		return "reason"
	case name == "validation":
		return "rule"
	case strings.HasPrefix(name, "checks"):
		return "check"
	case name == "compatibility":
		return "answer"
	}
	return ""
}

// topics are the sections of a page whose heading is a name, and the reasons in
// its tables.
func topics(page, kind, text string) []Topic {
	var list []Topic
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		level, name := heading(line)
		if level < 2 || !isName(name) || kind == "check" && !strings.Contains(name, ".") {
			continue
		}
		end := i + 1
		for end < len(lines) {
			if n, _ := heading(lines[end]); n > 0 && n <= level {
				break
			}
			end++
		}
		body := strings.TrimSpace(strings.Join(lines[i+1:end], "\n"))
		if kind != "answer" {
			list = append(list, Topic{Name: name, Kind: kind, Summary: summary(body), Page: page, Link: web + page + "#" + anchor(name),
				Markdown: "## " + name + "\n\n" + body})
		}
	}
	return append(list, reasons(page, lines)...)
}

// reasons are the rows of tables whose first column is a reason.
func reasons(page string, lines []string) []Topic {
	var list []Topic
	section, head := "", ""
	for i, line := range lines {
		if n, name := heading(line); n > 0 {
			section = name
		}
		if !strings.HasPrefix(line, "|") {
			head = ""
			continue
		}
		if head == "" {
			head = line
			continue
		}
		first, rest, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		name, ok := strings.CutPrefix(strings.TrimSpace(first), "`")
		name, closed := strings.CutSuffix(name, "`")
		if !strings.Contains(strings.ToLower(head), "reason") || !ok || !closed || !isName(name) || i == 0 {
			continue
		}
		about := fmt.Sprintf("A reason of the check `%s`.", section)
		switch {
		case strings.Contains(section, "."):
		case kindOf(page) == "check":
			about = "A reason of several checks of `pfring prereq check`: " + section + "."
		default:
			about = "A reason in the report of `pfring compatibility`."
		}
		list = append(list, Topic{Name: name, Kind: "reason", Summary: summary(strings.ReplaceAll(rest, "|", " ")), Page: page,
			Link: web + page + "#" + anchor(section), Markdown: "## " + name + "\n\n" + about + "\n\n" + row(head, line)})
	}
	return list
}

// row writes a row of a table as a list.
func row(head, line string) string {
	split := func(s string) []string { return strings.Split(strings.Trim(strings.TrimSpace(s), "|"), "|") }
	names, cells := split(head), split(strings.ReplaceAll(line, `\|`, "\x00"))
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 && i < len(names) {
			fmt.Fprintf(&b, "* %s: %s\n", strings.TrimSpace(names[i]), strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|")))
		}
	}
	return b.String()
}

// values are the keys of the values, as topics.
func values() ([]Topic, error) {
	keys, err := valuesschema.Keys()
	if err != nil {
		return nil, err
	}
	var list []Topic
	for i, k := range keys {
		var b strings.Builder
		fmt.Fprintf(&b, "## %s\n\n%s\n\n* type: %s\n", k.Path, k.Description, k.Type)
		if k.Bounds != "" {
			fmt.Fprintf(&b, "* takes: %s\n", k.Bounds)
		}
		if k.Default != "" {
			fmt.Fprintf(&b, "* default: `%s`\n", k.Default)
		}
		if k.HasKeys {
			b.WriteString("\nKeys:\n\n")
			for _, below := range keys[i+1:] {
				name, ok := strings.CutPrefix(below.Path, k.Path+".")
				if !ok {
					break
				}
				if !strings.Contains(name, ".") {
					fmt.Fprintf(&b, "* `%s`: %s\n", name, summary(below.Description))
				}
			}
		}
		list = append(list, Topic{Name: k.Path, Kind: "value", Summary: summary(k.Description), Markdown: b.String()})
	}
	return list, nil
}

// heading returns the level of a heading and its text, or 0.
func heading(line string) (int, string) {
	text := strings.TrimLeft(line, "#")
	n := len(line) - len(text)
	if n == 0 || !strings.HasPrefix(text, " ") {
		return 0, ""
	}
	return n, strings.Trim(text, " `")
}

// isName tells names from headings in words.
func isName(s string) bool {
	if s == "" || strings.ToLower(s) != s || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return false
	}
	return true
}

// anchor is the address of a heading within its page, as GitHub makes it.
func anchor(name string) string {
	return strings.NewReplacer(".", "", " ", "-", "`", "").Replace(strings.ToLower(name))
}

// summary is the first sentence.
func summary(text string) string {
	for line := range strings.SplitSeq(text, "\n\n") {
		line = strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, "Error. Helm") || strings.HasPrefix(line, "Warning. Helm") || strings.HasPrefix(line, "Error or warning.") || line == "" {
			continue
		}
		if i := strings.Index(line, ". "); i > 0 {
			line = line[:i+1]
		}
		return strings.NewReplacer("`", "", "**", "").Replace(line)
	}
	return ""
}
