package compatibility

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"table", "wide", "json", "yaml", "csv", "html"} }

// Write prints the report in one of Formats.
func (r Report) Write(w io.Writer, format string) error {
	switch format {
	case "table", "wide":
		return r.writeTable(w, format == "wide")
	case "json":
		return printout.JSON(w, r)
	case "yaml":
		return printout.YAML(w, r)
	case "csv":
		return r.writeCSV(w)
	case "html":
		return r.writeHTML(w)
	}
	return fmt.Errorf("%q is none of %s", format, strings.Join(Formats(), ", "))
}

// writeTable prints the nodes, the kernels, what to do and the verdict.
func (r Report) writeTable(w io.Writer, wide bool) error {
	var b strings.Builder
	r.nodeTable(&b, wide)
	r.kernelTable(&b)
	r.remedies(&b)
	b.WriteString("\n" + r.Verdict + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) nodeTable(b *strings.Builder, wide bool) {
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
	printout.Table(b, rows)
}

func (r Report) kernelTable(b *strings.Builder) {
	b.WriteString("\nBy kernel\n")
	last := "PF_RING"
	if r.Mode == "kmm" {
		last = "Image"
	}
	rows := make([][]string, 0, len(r.Kernels)+1)
	rows = append(rows, []string{"Kernel Version", "Arch", "Nodes", "Supported", "Not", "Unknown", last})
	for _, k := range r.Kernels {
		value := k.Version
		if r.Mode == "kmm" {
			value = k.Image
		}
		rows = append(rows, []string{
			k.Kernel, k.Arch, strconv.Itoa(k.Nodes), strconv.Itoa(k.Yes), strconv.Itoa(k.No), strconv.Itoa(k.Unknown), value,
		})
	}
	printout.Table(b, rows)
}

// Finding is one thing that keeps nodes from the module.
type Finding struct {
	Reason, Message, Remedy, Source string
	Supported                       Supported
	Nodes                           int
	// Example is one of the nodes.
	Example string
}

// Findings are what keeps nodes from the module, each once, those of most
// nodes first.
func (r Report) Findings() []Finding {
	type key struct{ reason, message string }
	at := map[key]int{}
	var list []Finding
	for _, n := range r.Nodes {
		if n.Supported == Yes || n.Supported == Excluded {
			continue
		}
		k := key{n.Reason, n.Message}
		i, ok := at[k]
		if !ok {
			i = len(list)
			at[k] = i
			list = append(list, Finding{Reason: n.Reason, Message: n.Message, Remedy: n.Remedy, Source: n.Source, Supported: n.Supported, Example: n.Node})
		}
		list[i].Nodes++
	}
	slices.SortStableFunc(list, func(a, b Finding) int { return b.Nodes - a.Nodes })
	return list
}

func (r Report) remedies(b *strings.Builder) {
	findings := r.Findings()
	if len(findings) > 0 {
		b.WriteString("\nWhat to do\n")
	}
	for _, f := range findings {
		nodes := "1 node"
		if f.Nodes != 1 {
			nodes = fmt.Sprintf("%d nodes", f.Nodes)
		}
		fmt.Fprintf(b, "  %s (%s): %s\n", nodes, f.Reason, f.Message)
		if f.Remedy != "" {
			fmt.Fprintf(b, "    %s\n", f.Remedy)
		}
		if f.Source != "" {
			fmt.Fprintf(b, "    see %s\n", f.Source)
		}
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
		rows = append(rows, []string{
			n.Node, n.Kernel, string(n.Supported), n.Arch, n.OS, n.Version, n.Reason, n.Message, n.Remedy, n.Platform, n.Zone,
			strconv.FormatBool(n.Ready), n.Mapping, n.Image,
		})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}
