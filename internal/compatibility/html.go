package compatibility

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
)

//go:embed report.html
var page string

// writeHTML writes one page that needs nothing else.
func (r Report) writeHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"percent": func(part, all int) string {
			if all == 0 {
				return "0"
			}
			return fmt.Sprintf("%.2f", 100*float64(part)/float64(all))
		},
		"kmm": func() bool { return r.Mode == "kmm" },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("writing HTML: %w", err)
	}
	// The kernels of most nodes first: these are what matters.
	kernels := slices.Clone(r.Kernels)
	slices.SortStableFunc(kernels, func(a, b KernelResult) int { return b.Nodes - a.Nodes })
	most := 0
	if len(kernels) > 0 {
		most = kernels[0].Nodes
	}
	r.Kernels = kernels
	if err := t.Execute(w, struct {
		Report
		Most  int
		State string
	}{r, most, state(r)}); err != nil {
		return fmt.Errorf("writing HTML: %w", err)
	}
	return nil
}

func state(r Report) string {
	switch {
	case r.Compatible:
		return "yes"
	case r.Totals.No > 0 || r.Totals.Counted() == 0:
		return "no"
	}
	return "unknown"
}
