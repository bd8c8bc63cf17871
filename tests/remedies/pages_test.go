package remedies_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/docs/blocks"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var (
	fence  = regexp.MustCompile("(?ms)^```[^\n]*\n.*?^```")
	inline = regexp.MustCompile("`([^`]+)`")
	// ending is where a command of a block ends: at a comment, another command, or a
	// redirection.
	ending = regexp.MustCompile(`\s+(#|\||\|\||&&|>|<|2>&1)(\s|$)|\s*;`)
)

// inPages are the commands of a program in the documentation, as words after its name:
// those in blocks that people paste, run by a test or not, and those between
// backquotes.
func inPages(t *testing.T, program string) map[string][]string {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := blocks.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, name := range files {
		list, err := blocks.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			if !b.IsCommands() {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(b.Text, "\\\n", " ")) {
				for part := range strings.SplitSeq(line, "| ") {
					if rest, ok := strings.CutPrefix(strings.TrimSpace(part), program+" "); ok {
						found[b.Place()] = append(found[b.Place()], rest)
					}
				}
			}
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			code := strings.Join(strings.Fields(m[1]), " ")
			if rest, ok := strings.CutPrefix(code, program+" "); ok {
				found[name] = append(found[name], rest)
			}
		}
	}
	return found
}

// unquoted are the words of a command, with what is in quotes as one word.
func unquoted(line string) []string {
	line = regexp.MustCompile(`'[^']*'|"[^"]*"`).ReplaceAllString(line, "QUOTED")
	if at := ending.FindStringIndex(line); at != nil {
		line = line[:at[0]]
	}
	return strings.Fields(line)
}

var lower = regexp.MustCompile(`^[a-z]`)

// A command in the documentation exists, with the flags that it is given.
func TestCommandsInPagesExist(t *testing.T) {
	seen := 0
	for place, lines := range inPages(t, "pfring") {
		for _, line := range lines {
			words := unquoted(line)
			if len(words) == 0 || !lower.MatchString(words[0]) || strings.Contains(words[0], "|") {
				continue // pfring --version, pfring …
			}
			seen++
			if fault := wrong(words); fault != "" {
				t.Errorf("%s: pfring %s: %s", place, line, fault)
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d commands were found", seen)
	}
}

// wrong is what is wrong with a command, or "".
func wrong(words []string) string {
	cmd, _, err := mine(words)
	if err != nil && !strings.HasPrefix(err.Error(), "flag needs an argument") { // a text may be about the flag alone
		return err.Error()
	}
	if !cmd.HasParent() {
		if slices.Contains([]string{"help", "completion"}, words[0]) {
			return ""
		}
		return "there is no such command"
	}
	if cmd.HasSubCommands() && cmd.Name() == words[0] && len(words) > 1 && lower.MatchString(words[1]) && !strings.Contains(words[1], "|") {
		return "there is no such subcommand"
	}
	for _, w := range words {
		if strings.HasPrefix(w, "--") && w != "--" && flagOf(cmd, w) == nil {
			return "there is no " + w
		}
	}
	return ""
}
