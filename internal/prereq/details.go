package prereq

import (
	"fmt"
	"strings"
)

// detail is what was seen on one item, such as a kernel.
type detail struct {
	item string
	// line says it for a person; cause is what it has in common with other items, ""
	// for nothing.
	line, cause string
}

// about is a detail whose cause is the text.
func about(item, cause string) detail {
	if cause == "" {
		return detail{item: item, line: item}
	}
	return detail{item: item, line: item + ": " + cause, cause: cause}
}

// alsoNamed is how many items a line names beside the first that has the same cause.
const alsoNamed = 5

// grouped are the lines of details, in their order: a cause that several items share
// is reported once, for the first of them, with who else has it.
func grouped(lists ...[]detail) []string {
	var groups [][]detail
	at := map[string]int{}
	for _, list := range lists {
		for _, d := range list {
			i, known := at[d.cause]
			if !known || d.cause == "" {
				i, groups = len(groups), append(groups, nil)
				at[d.cause] = i
			}
			groups[i] = append(groups[i], d)
		}
	}
	var lines []string
	for _, g := range groups {
		line := g[0].line
		var same []string
		for _, d := range g[1:] {
			same = append(same, d.item)
		}
		if more := len(same) - alsoNamed; more > 0 {
			same = append(same[:alsoNamed], fmt.Sprintf("%d more", more))
		}
		if n := len(same); n > 1 {
			line = strings.TrimSuffix(line, ".") + "; the same for " + strings.Join(same[:n-1], ", ") + " and " + same[n-1]
		} else if n == 1 {
			line = strings.TrimSuffix(line, ".") + "; the same for " + same[0]
		}
		lines = append(lines, line)
	}
	return some(lines)
}
