package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Table is what one run has measured.
type Table struct {
	Machine string    `json:"machine"`
	Time    time.Time `json:"time"`
	Lines   []Line    `json:"lines"`
}

// Line is one figure.
type Line struct {
	Row   string `json:"row"`
	What  string `json:"what"`
	Rival string `json:"rival,omitempty"`
	// Value is missing where the row did not run; Error says why.
	Value *float64 `json:"value,omitempty"`
	Aim   float64  `json:"aim"`
	Met   bool     `json:"met"`
	Error string   `json:"error,omitempty"`
}

// add puts a row's figures into the table.
func (t *Table) add(r row, m metrics, err error) {
	for _, f := range r.Figures {
		line := Line{Row: r.Name, What: f.What, Rival: f.Rival, Aim: f.Aim}
		value, ok := m[f.Case][f.Metric]
		switch {
		case err != nil:
			line.Error = err.Error()
		case !ok:
			line.Error = fmt.Sprintf("%s reports no %q", r.Benchmark, f.Metric)
		default:
			line.Value, line.Met = &value, value <= f.Aim
		}
		t.Lines = append(t.Lines, line)
	}
}

// verdict is the last column.
func (l Line) verdict() string {
	switch {
	case l.Value == nil:
		first, _, _ := strings.Cut(l.Error, "\n")
		return "not run: " + first
	case l.Met:
		return "met"
	}
	return "missed"
}

func (l Line) value() string {
	if l.Value == nil {
		return "-"
	}
	return number(*l.Value)
}

// number shows three significant digits.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// Text is the table for a terminal.
func (t *Table) Text() string {
	var b strings.Builder
	for _, l := range t.Lines {
		what := l.What
		if l.Rival != "" {
			what += ", of " + l.Rival
		}
		fmt.Fprintf(&b, "%-72s %9s  aim ≤ %-7s %s\n", what, l.value(), number(l.Aim), l.verdict())
	}
	return b.String()
}

// Markdown is the table for docs/performance.md.
func (t *Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, on %s.\n\n| figure | rival in the same run | value | aim | |\n| --- | --- | --- | --- | --- |\n", t.Machine, t.Time.Format("2 January 2006"))
	for _, l := range t.Lines {
		fmt.Fprintf(&b, "| %s | %s | %s | ≤ %s | %s |\n", l.What, l.Rival, l.value(), number(l.Aim), strings.ReplaceAll(l.verdict(), "|", "\\|"))
	}
	return b.String()
}

func (t *Table) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"bench.json": append(data, '\n'), "bench.md": []byte(t.Markdown())} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("cannot write the table: %w", err)
		}
	}
	return nil
}

// The marks between which a page has its table.
const (
	tableBegins = "<!-- table begins -->\n"
	tableEnds   = "<!-- table ends -->"
)

// writeInto replaces the table of a page.
func (t *Table) writeInto(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("cannot read the page: %w", err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("no table found in %s: must have the lines %q and %q", page, strings.TrimSpace(tableBegins), tableEnds)
	}
	text = []byte(before + tableBegins + "\n" + t.Markdown() + "\n" + tableEnds + after)
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return fmt.Errorf("cannot write the page: %w", err)
	}
	return nil
}
