package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/util/jsonpath"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// outputFlags are -o and --no-headers of a command that shows a list, with
// kubectl's name and jsonpath beside the report's own formats.
type outputFlags struct {
	format    string
	noHeaders bool
	formats   []string
}

const jsonpathPrefix = "jsonpath="

func (o *outputFlags) register(cmd *cobra.Command, formats []string) {
	o.formats = append(slices.Clone(formats), "name")
	fl := cmd.Flags()
	fl.StringVarP(&o.format, "output", "o", "table", strings.Join(o.formats, ", ")+" or "+jsonpathPrefix+"TEMPLATE")
	fl.BoolVar(&o.noHeaders, "no-headers", false, "print only the rows of the first table, without its header and what comes after it")
	complete(cmd, "output", cobra.FixedCompletions(append(slices.Clone(o.formats), jsonpathPrefix), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

func (o *outputFlags) valid() error {
	if text, ok := strings.CutPrefix(o.format, jsonpathPrefix); ok {
		if err := o.template().Parse(text); err != nil {
			return flags.Wrong("invalid --output %q: must be %sTEMPLATE with a template as kubectl's: %v", o.format, jsonpathPrefix, err)
		}
		return nil
	}
	return flags.OneOf("output", o.format, append(slices.Clone(o.formats), jsonpathPrefix+"TEMPLATE")...)
}

func (o *outputFlags) template() *jsonpath.JSONPath {
	return jsonpath.New("output").AllowMissingKeys(true)
}

// writeRows prints a table on its own.
func writeRows(w io.Writer, rows [][]string) error {
	var b strings.Builder
	printout.Table(&b, rows)
	_, err := io.WriteString(w, b.String())
	return err
}

// report is what the reports of all commands do.
type report interface {
	Write(w io.Writer, format string) error
}

// write prints the report; names are those of its rows, and state is what its
// verdict is.
func (o *outputFlags) write(w io.Writer, r report, names []string, state webpage.State) error {
	if text, ok := strings.CutPrefix(o.format, jsonpathPrefix); ok {
		return o.jsonpath(w, r, text)
	}
	switch {
	case o.format == "name":
		var b strings.Builder
		for _, name := range names {
			b.WriteString(printout.Line(name) + "\n")
		}
		_, err := io.WriteString(w, b.String())
		return err
	case o.noHeaders && slices.Contains([]string{"table", "wide"}, o.format):
		var b strings.Builder
		if err := r.Write(&b, o.format); err != nil {
			return err
		}
		_, rows, _ := strings.Cut(b.String(), "\n")
		rows, _, _ = strings.Cut(rows, "\n\n")
		_, err := io.WriteString(w, strings.TrimRight(rows, "\n")+"\n")
		return err
	}
	if colorful(w) && slices.Contains([]string{"table", "wide"}, o.format) {
		var b strings.Builder
		if err := r.Write(sized{&b, w}, o.format); err != nil {
			return err
		}
		_, err := io.WriteString(w, markVerdict(b.String(), state))
		return err
	}
	return r.Write(w, o.format)
}

// sized writes elsewhere, for reports that ask a terminal how wide it is.
type sized struct {
	io.Writer
	terminal io.Writer
}

// Fd is the terminal's.
func (s sized) Fd() uintptr {
	if f, ok := s.terminal.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// marks are what a verdict begins with on a terminal, in all commands; without one
// its words must do.
var marks = map[webpage.State]string{
	webpage.Good: "\x1b[32;1m√\x1b[0m ", webpage.Warn: "\x1b[33;1m‼\x1b[0m ", webpage.Bad: "\x1b[31;1m×\x1b[0m ",
}

// markVerdict puts the mark before the last paragraph, which is the verdict.
func markVerdict(text string, state webpage.State) string {
	i := strings.LastIndex(strings.TrimRight(text, "\n"), "\n\n")
	if i < 0 {
		return marks[state] + text
	}
	return text[:i+2] + marks[state] + text[i+2:]
}

// either is good or bad.
func either(good bool) webpage.State {
	if good {
		return webpage.Good
	}
	return webpage.Bad
}

func (o *outputFlags) jsonpath(w io.Writer, r report, text string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	p := o.template()
	if err := p.Parse(text); err != nil {
		return err
	}
	var b strings.Builder
	if err := p.Execute(&b, tree); err != nil {
		return flags.Wrong("invalid --output %q: %v", o.format, err)
	}
	_, err = io.WriteString(w, b.String()+"\n")
	return err
}
