package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/explain"
	"github.com/kubeshark/kubeshark-pfring/internal/markdown"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

func newExplainCmd(o *Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "explain NAME",
		GroupID: groupValues,
		Short:   "Show the documentation of a reason, a check, a rule or a key of the values",
		Long: `Show the documentation of a reason, a check, a rule or a key of the values.

NAME is a name that another command shows: a reason of status or compatibility
(no-module-for-kernel), a check or reason of prereq (kmm.module, api-forbidden), a
rule of validate (regexp-loose), or a key of the values (tap.kernelModule.source.verify,
or only its end, source.verify). Without NAME all names are listed. The pages are built
in, so no network is needed.

Exit codes: 0 found; 2 not found.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.OneOf("output", output, "text", "markdown", "json"); err != nil {
				return err
			}
			if len(args) == 0 {
				return listTopics(cmd.OutOrStdout(), output)
			}
			found, err := explain.Find(args[0])
			if err != nil {
				return flags.Wrong("%v", err)
			}
			return writeTopics(cmd.OutOrStdout(), found, output)
		},
		ValidArgsFunction: completeTopics,
	}
	cmd.Example = examples(o, `explain no-module-for-kernel
explain kmm.module
explain regexp-loose
explain source.verify
explain tap.kernelModule.supply -o markdown`)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, markdown or json")
	complete(cmd, "output", cobra.FixedCompletions([]string{"text", "markdown", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func completeTopics(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := explain.All()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name+"\t"+t.Summary)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func listTopics(w io.Writer, output string) error {
	all, err := explain.All()
	if err != nil {
		return err
	}
	if output == "json" {
		return printout.JSON(w, all)
	}
	rows := [][]string{{"Name", "Kind", "Summary"}}
	for _, t := range all {
		rows = append(rows, []string{t.Name, t.Kind, t.Summary})
	}
	return writeRows(w, rows)
}

func writeTopics(w io.Writer, found []explain.Topic, output string) error {
	if output == "json" {
		return printout.JSON(w, found)
	}
	width := 80
	if fd, ok := descriptor(w); ok {
		if columns, _, err := term.GetSize(fd); err == nil {
			width = min(columns, 100)
		}
	}
	var b strings.Builder
	for i, t := range found {
		if i > 0 {
			b.WriteString("\n")
		}
		text := t.Markdown
		if t.Link != "" {
			text += "\n\nSee " + t.Link
		}
		if output == "text" {
			text = markdown.Terminal(text, markdown.Options{Width: width, Style: colorful(w)})
		}
		b.WriteString(strings.TrimRight(text, "\n") + "\n")
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}
