// Command reference writes what is made from the commands themselves: docs/cli.md,
// or the manual pages into a folder.
//
//	go run ./hack/reference
//	go run ./hack/reference --man DIR
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

func main() {
	man := flag.String("man", "", "write manual pages to this folder")
	flag.Parse()
	if err := write(*man); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func write(man string) error {
	if man == "" {
		page, err := reference()
		if err != nil {
			return err
		}
		return os.WriteFile("docs/cli.md", page, 0o644) // #nosec G306 -- a page for everybody
	}
	if err := os.MkdirAll(man, 0o755); err != nil { // #nosec G301 -- pages for everybody
		return err
	}
	// The date of a page must not change what is built from the same source.
	date := time.Unix(0, 0).UTC()
	return doc.GenManTree(tree(), &doc.GenManHeader{Title: "PFRING", Section: "1", Source: "kubeshark-pfring", Manual: "pfring manual", Date: &date}, man)
}

// tree is the command tree as the pages show it.
func tree() *cobra.Command {
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})
	root.DisableAutoGenTag = true
	return root
}

// reference is one page of all commands.
func reference() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nMade from the commands by `go run ./hack/reference`. `pfring help COMMAND` shows the same.\n\n")
	if err := section(&b, tree()); err != nil {
		return nil, err
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

func section(b *bytes.Buffer, cmd *cobra.Command) error {
	if cmd.Hidden || cmd.Name() == "completion" || cmd.Name() == "help" {
		return nil
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n```text\n%s\n```\n\n", cmd.CommandPath(), escape(text(cmd)), cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(b, "Examples:\n\n```text\n%s\n```\n\n", outdent(cmd.Example))
	}
	if flags := cmd.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(b, "Flags:\n\n```text\n%s```\n\n", flags.FlagUsages())
	}
	for _, c := range cmd.Commands() {
		if err := section(b, c); err != nil {
			return err
		}
	}
	return nil
}

func text(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

// escape keeps Markdown from reading a placeholder as HTML.
func escape(s string) string { return strings.NewReplacer("<", "\\<", "*", "\\*").Replace(s) }

func outdent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
