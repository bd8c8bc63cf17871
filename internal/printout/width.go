package printout

import (
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Width is how many characters fit on a line of the terminal that w is; 0 for what
// is not a terminal, where nothing is shortened.
func Width(w io.Writer) int {
	file, is := w.(interface{ Fd() uintptr })
	if !is || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < leastWidth {
		return 0
	}
	return width
}

const (
	// leastWidth is that of a terminal for which it is worth to shorten anything.
	leastWidth = 40
	// leastCell is the width below which no cell is cut.
	leastCell = 12
	gap       = 2
)

// TableIn is Table for lines of width characters: the widest cells are cut until
// the lines fit, or until every cell is as short as can be read. 0 cuts nothing.
func TableIn(b *strings.Builder, rows [][]string, width int) {
	if width <= 0 {
		Table(b, rows)
		return
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 1)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(Line(cell)))
		}
	}
	for total(widths) > width {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastCell {
			break
		}
		widths[widest] = max(leastCell, widths[widest]-max(1, min(total(widths)-width, widths[widest]-second(widths, widest))))
	}
	cut := make([][]string, len(rows))
	for i, row := range rows {
		cut[i] = make([]string, len(row))
		for j, cell := range row {
			cut[i][j] = shorten(Line(cell), widths[j])
		}
	}
	Table(b, cut)
}

func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// second is the largest width but that of one column.
func second(widths []int, but int) int {
	most := 0
	for i, w := range widths {
		if i != but {
			most = max(most, w)
		}
	}
	return most
}

// shorten shortens text to width characters.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// Wrap writes text on lines of width characters, the first after indent, the others
// below it; 0 writes one line. Words are never broken, since commands and addresses are to be copied.
func Wrap(b *strings.Builder, indent, text string, width int) {
	text = Line(text)
	if width <= 0 {
		b.WriteString(indent + text + "\n")
		return
	}
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(indent)+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(indent + line + "\n")
			line, indent = "", strings.Repeat(" ", len(indent))
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	b.WriteString(indent + line + "\n")
}
