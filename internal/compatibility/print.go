package compatibility

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "wide", "json", "yaml", "csv", "html"} }

// Write prints the report in one of Formats.
func (r Report) Write(w io.Writer, format string) error {
	switch format {
	case "table", "wide":
		return r.writeTable(w, format == "wide")
	case "csv":
		return r.writeCSV(w)
	case "html":
		return r.writeHTML(w)
	}
	return printout.Document(w, r, format, Formats())
}

// writeTable prints the nodes, the kernels, what to do and the verdict.
func (r Report) writeTable(w io.Writer, wide bool) error {
	var b strings.Builder
	width := printout.Width(w)
	r.nodeTable(&b, wide, width)
	r.kernelTable(&b, width)
	r.remedies(&b, width)
	r.leftOut(&b, width)
	b.WriteByte('\n')
	printout.Wrap(&b, "", r.Verdict, width)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) nodeTable(b *strings.Builder, wide bool, width int) {
	header := []string{"Node", "Kernel Version", "Supported", "Arch", "OS", "PF_RING"}
	kmm := r.Mode == "kmm"
	if kmm {
		header[5] = "Mapping"
	}
	if wide {
		header = append(header, "Platform", "Zone", "Ready")
		if kmm {
			header = append(header, "Image")
		}
		width = 0
	}
	rows := make([][]string, 0, len(r.Nodes)+1)
	rows = append(rows, append(header, "Reason"))
	for _, n := range r.Nodes {
		row := []string{n.Node, n.Kernel, string(n.Supported), n.Arch, n.OS, n.Version}
		if kmm {
			row[5] = n.Mapping
		}
		reason := n.Reason
		if wide {
			row = append(row, n.Platform, n.Zone, strconv.FormatBool(n.Ready))
			if kmm {
				row = append(row, n.Image)
			}
			if n.Message != "" {
				reason = strings.TrimPrefix(n.Reason+": ", ": ") + n.Message
			}
		}
		rows = append(rows, append(row, reason))
	}
	if len(r.Nodes) > 0 {
		printout.TableIn(b, rows, width)
	}
}

func (r Report) kernelTable(b *strings.Builder, width int) {
	last := "PF_RING"
	if r.Mode == "kmm" {
		last = "Image"
	}
	rows := make([][]string, 0, len(r.Kernels)+1)
	header := []string{"Kernel Version", "Arch", "Nodes", "Supported", "Not", "Unknown", last}
	built := r.Totals.WillBeBuilt+r.Totals.CannotBeBuilt > 0
	if built {
		header = slices.Insert(header, 6, "Will Be Built", "Cannot Be Built")
	}
	rows = append(rows, header)
	for _, k := range r.Kernels {
		value := k.Version
		if r.Mode == "kmm" {
			value = k.Image
		}
		row := []string{k.Kernel, k.Arch, strconv.Itoa(k.Nodes), strconv.Itoa(k.Yes), strconv.Itoa(k.No), strconv.Itoa(k.Unknown), value}
		if built {
			row = slices.Insert(row, 6, strconv.Itoa(k.WillBeBuilt), strconv.Itoa(k.CannotBeBuilt))
		}
		rows = append(rows, row)
	}
	if len(r.Kernels) == 0 {
		return
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("By kernel\n")
	printout.TableIn(b, rows, width)
}

func (r Report) remedies(b *strings.Builder, width int) {
	findings := r.Findings()
	if len(findings) > 0 {
		b.WriteString("\nWhat to do\n")
	}
	for _, f := range findings {
		printout.Wrap(b, "  ", fmt.Sprintf("%s (%s): %s", text.Count(f.Nodes, "node"), f.Reason, f.Message), width)
		if f.Also != "" {
			printout.Wrap(b, "    ", f.Also, width)
		}
		if f.Remedy != "" {
			printout.Wrap(b, "    ", f.Remedy, width)
		}
		if f.Source != "" {
			printout.Wrap(b, "    ", "see "+f.Source, width)
		}
	}
}

// leftOut tells of the nodes that do not count, each reason once.
func (r Report) leftOut(b *strings.Builder, width int) {
	nodes := map[string][]string{}
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Supported == Excluded {
			nodes[n.Message] = append(nodes[n.Message], n.Node)
		}
	}
	title := "\nExcluded\n"
	for _, message := range slices.Sorted(maps.Keys(nodes)) {
		b.WriteString(title)
		title = ""
		who := nodes[message][0]
		if more := len(nodes[message]) - 1; more > 0 {
			who = fmt.Sprintf("%s and %d more", who, more)
		}
		printout.Wrap(b, "  ", who+": "+message, width)
	}
}

func (r Report) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := make([][]string, 0, len(r.Nodes)+1)
	rows = append(rows, []string{
		"node", "kernelVersion", "supported", "architecture", "os", "pfRingVersion", "reason", "message", "remedy", "platform", "zone", "ready",
		"mapping", "image",
	})
	for _, n := range r.Nodes {
		row := []string{
			n.Node, n.Kernel, string(n.Supported), n.Arch, n.OS, n.Version, n.Reason, n.Message, n.Remedy, n.Platform, n.Zone,
			strconv.FormatBool(n.Ready), n.Mapping, n.Image,
		}
		for i, cell := range row {
			row[i] = printout.Cell(cell)
		}
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("cannot write CSV: %w", err)
	}
	return nil
}
