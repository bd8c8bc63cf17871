package plan

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"text", "json", "yaml", "values"} }

// Write prints the plan in one of Formats; values is the values file alone.
func (p Plan) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return p.writeText(w)
	case "values":
		data, err := p.ValuesYAML()
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	return printout.Document(w, p, format, Formats())
}

func (p Plan) writeText(w io.Writer) error {
	var b strings.Builder
	width := printout.Width(w)
	printout.Wrap(&b, "", "Use "+p.Title, width)
	b.WriteString("\nWhy\n")
	for _, why := range p.Why {
		printout.Wrap(&b, "  - ", why, width)
	}
	if len(p.First) > 0 {
		b.WriteString("\nDo first\n")
	}
	for i, s := range p.First {
		printout.Wrap(&b, fmt.Sprintf("  %d. ", i+1), s.What, width)
		for _, more := range []string{s.Command, s.Link} {
			if more != "" {
				fmt.Fprintf(&b, "     %s\n", printout.Line(more))
			}
		}
	}
	p.writeKernels(&b, width)
	if len(p.Notes) > 0 {
		b.WriteString("\nTo know\n")
	}
	for _, note := range p.Notes {
		printout.Wrap(&b, "  - ", note, width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// indent is before the lines of the table.
const indent = "  "

// writeKernels prints the table.
func (p Plan) writeKernels(b *strings.Builder, width int) {
	if len(p.Kernels) == 0 {
		return
	}
	b.WriteString("\nBy kernel\n")
	rows := [][]string{{"Kernel Version", "Arch", "Nodes", "Module by", "State"}}
	for _, k := range p.Kernels {
		rows = append(rows, []string{k.Kernel, k.Arch, strconv.Itoa(k.Nodes), k.By, k.state()})
	}
	var table strings.Builder
	printout.TableIn(&table, rows, max(0, width-len(indent)))
	for line := range strings.Lines(table.String()) {
		b.WriteString(indent + line)
	}
}

// state is how far the module of a kernel is.
func (k KernelPlan) state() string {
	switch {
	case k.unserved:
		return "not supported by KMM, see below"
	case k.By == byLibpcap:
		return "cannot load modules"
	case k.By == bySupply && k.Supported == compatibility.Yes:
		return "is built"
	case k.By == bySupply && k.Supported == compatibility.Unknown:
		return "the cluster will try to build it, see below"
	case k.By == bySupply:
		return "will be built in the cluster"
	case k.By == byKept:
		return string(k.Supported)
	case k.By == byBuild:
		return "built by KMM as " + k.Image
	case k.By == byImage && k.Missing:
		return "to be made: " + k.Image
	case k.By == byImage && k.Supported == compatibility.Unknown:
		return "not known to be there: " + k.Image
	case k.By == byImage:
		return k.Image
	case k.todo != "":
		return k.todo
	case k.Missing:
		return "to be built"
	case k.Why != "":
		return "available, but see below"
	}
	return "is there"
}
