// Package markdown shows the project's documentation on a terminal: headings,
// paragraphs, lists, blocks of code and tables, wrapped to a width. It knows the
// Markdown that these pages use and no more, and imports nothing of the project.
package markdown

import (
	"strings"
	"unicode/utf8"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Options say how a page is shown.
type Options struct {
	// Width is the number of columns that lines are wrapped to; below 20 is 80.
	Width int
	// Style allows bold text.
	Style bool
}

var (
	link    = lazyregexp.New(`\[([^\]]*)\]\(([^)\s]*)\)`)
	comment = lazyregexp.New(`(?s)<!--.*?-->\n?`)
	item    = lazyregexp.New(`^(\s*)([-*]|[0-9]+\.)\s+(.*)$`)
)

// Terminal returns a page as text.
func Terminal(page string, o Options) string {
	if o.Width < 20 {
		o.Width = 80
	}
	p := &printer{o: o}
	lines := strings.Split(comment().ReplaceAllString(page, ""), "\n")
	for i := 0; i < len(lines); {
		i += p.block(lines[i:])
	}
	return strings.Trim(p.out.String(), "\n") + "\n"
}

type printer struct {
	o   Options
	out strings.Builder
}

// block prints the block at the beginning of lines, and returns how many it has.
func (p *printer) block(lines []string) int {
	line := lines[0]
	switch trimmed := strings.TrimSpace(line); {
	case trimmed == "":
		return 1
	case strings.HasPrefix(trimmed, "```"):
		return p.code(lines)
	case strings.HasPrefix(line, "#"):
		p.gap()
		p.strong(inline(strings.TrimLeft(line, "# ")))
		return 1
	case strings.HasPrefix(trimmed, "|"):
		return p.table(lines)
	case item().MatchString(line):
		return p.list(lines)
	}
	n := 1
	for n < len(lines) && !begins(lines[n]) {
		n++
	}
	p.gap()
	p.wrap(inline(strings.Join(lines[:n], " ")), "", "")
	return n
}

// begins tells whether a line ends the paragraph before it.
func begins(line string) bool {
	t := strings.TrimSpace(line)
	return t == "" || strings.HasPrefix(t, "```") || strings.HasPrefix(line, "#") || strings.HasPrefix(t, "|") || item().MatchString(line)
}

// gap leaves one line free, but for the beginning.
func (p *printer) gap() {
	if p.out.Len() > 0 {
		p.out.WriteString("\n")
	}
}

func (p *printer) code(lines []string) int {
	p.gap()
	n := 1
	for ; n < len(lines); n++ {
		if strings.HasPrefix(strings.TrimSpace(lines[n]), "```") {
			return n + 1
		}
		p.out.WriteString(strings.TrimRight("    "+lines[n], " ") + "\n")
	}
	return n
}

func (p *printer) list(lines []string) int {
	p.gap()
	n := 0
	for n < len(lines) {
		m := item().FindStringSubmatch(lines[n])
		if m == nil {
			break
		}
		text := m[3]
		for n++; n < len(lines) && !begins(lines[n]); n++ {
			text += " " + strings.TrimSpace(lines[n])
		}
		mark := m[2]
		if len(mark) == 1 {
			mark = "•"
		}
		p.wrap(inline(text), m[1]+mark+" ", m[1]+strings.Repeat(" ", utf8.RuneCountInString(mark)+1))
	}
	return n
}

// table prints each row: its first cell, and below it what the header says of the
// others. A table of narrow cells keeps its columns.
func (p *printer) table(lines []string) int {
	p.gap()
	var rows [][]string
	n := 0
	for ; n < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[n]), "|"); n++ {
		if cells := cells(lines[n]); !ruler(cells) {
			rows = append(rows, cells)
		}
	}
	widths := map[int]int{}
	total := 0
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, w := range widths {
		total += w + 2
	}
	if total > p.o.Width {
		p.stacked(rows)
		return n
	}
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)+2))
		}
		text := strings.TrimRight(b.String(), " ")
		if i == 0 {
			text = p.bold(text)
		}
		p.out.WriteString(text + "\n")
	}
	return n
}

func (p *printer) stacked(rows [][]string) {
	for i, row := range rows[1:] {
		if i > 0 {
			p.out.WriteString("\n")
		}
		p.strong(row[0])
		for j, cell := range row[1:] {
			if cell == "" {
				continue
			}
			label := ""
			if j+1 < len(rows[0]) && rows[0][j+1] != "" {
				label = rows[0][j+1] + ": "
			}
			p.wrap(label+cell, "  ", "    ")
		}
	}
}

func cells(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	line = strings.ReplaceAll(line, `\|`, "\x00")
	var list []string
	for cell := range strings.SplitSeq(line, "|") {
		list = append(list, inline(strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|")))
	}
	return list
}

func ruler(row []string) bool {
	for _, cell := range row {
		if strings.Trim(cell, "-: ") != "" {
			return false
		}
	}
	return len(row) > 0
}

// wrap breaks text at spaces, with one prefix for the first line and another for
// the others.
func (p *printer) wrap(text, first, rest string) {
	line, width := first, utf8.RuneCountInString(first)
	empty := true
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if width+n >= p.o.Width+btoi(empty) && (!empty || width > utf8.RuneCountInString(rest)) {
			p.out.WriteString(strings.TrimRight(line, " ") + "\n")
			line, width, empty = rest, utf8.RuneCountInString(rest), true
		}
		if !empty {
			line += " "
			width++
		}
		line, width, empty = line+word, width+n, false
	}
	p.out.WriteString(line + "\n")
}

// btoi is 1 for true: no space stands before the first word of a line.
func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// strong wraps a heading.
func (p *printer) strong(text string) {
	q := &printer{o: p.o}
	q.wrap(text, "", "")
	for line := range strings.Lines(q.out.String()) {
		p.out.WriteString(p.bold(strings.TrimSuffix(line, "\n")) + "\n")
	}
}

func (p *printer) bold(s string) string {
	if !p.o.Style {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// inline takes the marks out of a text. A link to the web keeps its address. What
// is between backquotes, such as a regular expression, holds no link.
func inline(s string) string {
	var b strings.Builder
	end := 0
	for _, at := range link().FindAllStringSubmatchIndex(s, -1) {
		if strings.Count(s[:at[0]], "`")%2 == 1 {
			continue
		}
		text, target := s[at[2]:at[3]], s[at[4]:at[5]]
		b.WriteString(s[end:at[0]] + text)
		if strings.Contains(target, "://") && text != target {
			b.WriteString(" (" + target + ")")
		}
		end = at[1]
	}
	b.WriteString(s[end:])
	return strings.NewReplacer("**", "", "`", "").Replace(b.String())
}
