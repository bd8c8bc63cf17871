package rollout

import (
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Watch follows a release until ctx ends and hands each change of its nodes to
// changed, all of them at first. It returns changed's error, or none when ctx ended.
func (c *Client) Watch(ctx context.Context, r *Release, changed func(*Report, []Node) error) error {
	f, _, err := c.read(ctx, r)
	if err != nil {
		return err
	}
	w := &waiter{client: c, facts: f}
	last := map[string]Node{}
	var failed error
	err = w.until(ctx, func(report *Report) bool {
		if r.Mode == "kmm" {
			c.explainKMM(ctx, f, report)
		}
		var list []Node
		now := map[string]Node{}
		for _, n := range report.Nodes {
			now[n.Node] = n
			if before, known := last[n.Node]; !known || before.shows() != n.shows() {
				list = append(list, n)
			}
		}
		last = now
		if len(list) > 0 {
			failed = changed(report, list)
		}
		return failed != nil
	})
	if failed != nil || ctx.Err() != nil {
		return failed
	}
	return err
}

// shows is what a reader would see change.
func (n Node) shows() string {
	return strings.Join([]string{string(n.State), string(n.Backend), n.Version, string(n.Reason), n.Message, n.Pod}, "\x00")
}

// Changes prints the rows of nodes as they change, in the columns of the first.
type Changes struct {
	W io.Writer
	// Wide adds columns; NoHeaders leaves the header out.
	Wide, NoHeaders bool

	widths []int
}

// Print writes a row for each node.
func (c *Changes) Print(r *Report, nodes []Node) error {
	rows := r.rows(c.Wide, nodes)
	if c.widths == nil {
		c.widths = make([]int, len(rows[0]))
		for _, row := range rows {
			for i, cell := range row {
				c.widths[i] = max(c.widths[i], utf8.RuneCountInString(printout.Line(cell)))
			}
		}
		if c.NoHeaders {
			rows = rows[1:]
		}
	} else {
		rows = rows[1:]
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if cell = printout.Line(cell); cell == "" {
				cell = "-"
			}
			line.WriteString(cell + strings.Repeat(" ", max(0, c.widths[i]-utf8.RuneCountInString(cell))+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(c.W, b.String())
	return err
}
