// Package blocks finds the commands in the documentation, and what is said
// about running them. Each block of commands has a mark in the line above it:
//
//	<!-- run -->                            in a folder, without a cluster
//	<!-- run: cluster -->                   the same, with a cluster of simulated nodes
//	<!-- run: exit 1 -->                    and it ends with this code; also "cluster, exit 1"
//	<!-- tested by: tests/status TestX -->  that test runs it
//	<!-- not run: needs a cloud account --> why not
package blocks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Block is a fenced block.
type Block struct {
	// File is relative to the repository; Line is that of the opening fence.
	File string
	Line int
	Lang string
	Text string
	// Mark is the comment above, "" if there is none.
	Mark string
}

// Commands are languages whose blocks people copy into a shell.
var commands = []string{"sh", "bash", "shell", "console"}

// IsCommands tells whether people will paste the block into a shell.
func (b Block) IsCommands() bool { return slices.Contains(commands, b.Lang) }

// Place is file:line.
func (b Block) Place() string { return fmt.Sprintf("%s:%d", b.File, b.Line) }

// Run is what a mark asks for.
type Run struct {
	Cluster bool
	Exit    int
}

// Plan reads the mark. run is nil for a block that is not run here, and then
// test is the folder and name of the test that does, or "" "".
func (b Block) Plan() (run *Run, test [2]string, err error) {
	kind, rest, _ := strings.Cut(b.Mark, ":")
	rest = strings.TrimSpace(rest)
	switch kind {
	case "not run":
		if len(rest) < 10 {
			return nil, test, fmt.Errorf("%s: say why it is not run", b.Place())
		}
		return nil, test, nil
	case "tested by":
		folder, name, ok := strings.Cut(rest, " ")
		if !ok {
			return nil, test, fmt.Errorf("%s: a folder and a test, as in tests/status TestX", b.Place())
		}
		return nil, [2]string{folder, name}, nil
	case "run":
		run := &Run{}
		for part := range strings.SplitSeq(rest, ",") {
			switch part = strings.TrimSpace(part); {
			case part == "cluster":
				run.Cluster = true
			case strings.HasPrefix(part, "exit "):
				if run.Exit, err = strconv.Atoi(part[len("exit "):]); err != nil {
					return nil, test, fmt.Errorf("%s: %q is not an exit code", b.Place(), part)
				}
			case part != "":
				return nil, test, fmt.Errorf("%s: %q is not known here", b.Place(), part)
			}
		}
		return run, test, nil
	}
	return nil, test, fmt.Errorf("%s: the block has no mark that says how it is tested; write one of these above it: <!-- run -->, <!-- run: cluster -->, <!-- tested by: FOLDER TEST -->, <!-- not run: REASON -->", b.Place())
}

// Files are the documents below root, relative to it.
func Files(root string) ([]string, error) {
	var out []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			name, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			out = append(out, filepath.ToSlash(name))
		}
	}
	return out, nil
}

// Read finds the blocks of one document.
func Read(root, name string) ([]Block, error) {
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, fmt.Errorf("reading the documentation: %w", err)
	}
	return parse(name, string(text))
}

var (
	fence   = regexp.MustCompile("^( *)(```+)([a-z]*)")
	comment = regexp.MustCompile(`^ *<!-- (.*?) *-->$`)
)

func parse(name, text string) ([]Block, error) {
	var out []Block
	var open *Block
	var indent, ticks string
	above := ""
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case open != nil && m != nil && m[2] == ticks && m[3] == "":
			out = append(out, *open)
			open, above = nil, ""
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case m != nil:
			indent, ticks = m[1], m[2]
			open = &Block{File: name, Line: i + 1, Lang: m[3], Mark: above}
		case strings.TrimSpace(line) != "":
			above = ""
			if c := comment.FindStringSubmatch(line); c != nil {
				above = c[1]
			}
			if strings.HasPrefix(line, "    ") && indentedCommand(line) {
				return nil, fmt.Errorf("%s:%d: commands stand between fences, so that their mark can be seen", name, i+1)
			}
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the fence is not closed", open.Place())
	}
	return out, nil
}

// indentedCommand: four blanks make a block too, in Markdown.
func indentedCommand(line string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return slices.Contains([]string{"make", "pfring", "kubectl", "helm", "docker", "go", "git", "$"}, first)
}
