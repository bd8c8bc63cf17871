package plan

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// Formats are the names that Write knows.
func Formats() []string { return []string{"text", "json", "values"} }

// Write prints the plan in one of Formats; values is the values file alone.
func (p Plan) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return p.writeText(w)
	case "json":
		return printout.JSON(w, p)
	case "values":
		data, err := p.ValuesYAML()
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	return fmt.Errorf("%q is none of %s", format, strings.Join(Formats(), ", "))
}

func (p Plan) writeText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Use %s\n", p.Title)
	b.WriteString("\nWhy\n")
	for _, why := range p.Why {
		fmt.Fprintf(&b, "  - %s\n", why)
	}
	if len(p.First) > 0 {
		b.WriteString("\nDo first\n")
	}
	for i, s := range p.First {
		fmt.Fprintf(&b, "  %d. %s\n", i+1, s.What)
		for _, more := range []string{s.Command, s.Link} {
			if more != "" {
				fmt.Fprintf(&b, "     %s\n", more)
			}
		}
	}
	p.writeKernels(&b)
	if len(p.Notes) > 0 {
		b.WriteString("\nTo know\n")
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "  - %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeKernels prints the table. Writing to a strings.Builder cannot fail.
func (p Plan) writeKernels(b *strings.Builder) {
	if len(p.Kernels) == 0 {
		return
	}
	b.WriteString("\nBy kernel\n")
	t := tabwriter.NewWriter(b, 2, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "  Kernel Version\tArch\tNodes\tModule by\tState")
	for _, k := range p.Kernels {
		state := "is there"
		switch {
		case k.unserved:
			state = "not served by KMM, see below"
		case k.By == byLibpcap:
			state = "cannot load modules"
		case k.By == byBuild:
			state = "built by KMM as " + k.Image
		case k.By == byImage && k.Missing:
			state = "to be made: " + k.Image
		case k.By == byImage:
			state = k.Image
		case k.Why != "" && k.Missing:
			state = k.Why
		case k.Missing:
			state = "to be built"
		case k.Why != "":
			state = "is there, but see below"
		}
		_, _ = fmt.Fprintln(t, "  "+strings.Join([]string{k.Kernel, k.Arch, strconv.Itoa(k.Nodes), k.By, state}, "\t"))
	}
	_ = t.Flush()
}
