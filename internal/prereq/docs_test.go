package prereq

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func docs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "checks.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryCheckHasASectionInTheDocs(t *testing.T) {
	text := docs(t)
	for _, c := range Checks() {
		_, section, found := strings.Cut(text, "\n### "+c.ID+"\n")
		if !found {
			t.Errorf("docs/checks.md has no section for this check; add:\n### %s\n\nWHAT IT LOOKS AT\n\n| Reason | Meaning | What to do |\n| --- | --- | --- |\n\nRun it: `%s`", c.ID, command(c))
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		section, _, _ = strings.Cut(section, "\n### ")
		if want := "\n\nRun it: `" + command(c) + "`"; !strings.HasSuffix(strings.TrimSpace(section), want) {
			t.Errorf("docs/checks.md: the section %s does not end with %s", c.ID, want)
		}
		if !strings.Contains(text, "["+c.ID+"](#"+anchor(c.ID)+")") {
			t.Errorf("docs/checks.md: add [%s](#%s) to the table of contents", c.ID, anchor(c.ID))
		}
	}
	for line := range strings.Lines(text) {
		id, is := strings.CutPrefix(strings.TrimSpace(line), "### ")
		if is && strings.Contains(id, ".") && !known(id) {
			t.Errorf("docs/checks.md has a section %s, and there is no such check", id)
		}
	}
}

// command runs one check alone.
func command(c Check) string {
	text := "pfring prereq check"
	if c.Mode != "" {
		text += " --mode " + c.Mode
	}
	if c.probing || c.Category() == "egress" {
		text += " --probe"
	}
	return text + " --only " + c.ID
}

func known(id string) bool {
	for _, c := range Checks() {
		if c.ID == id {
			return true
		}
	}
	return false
}

// The reasons are those that stand in the code as the first argument of fail
// and warn.
func TestEveryReasonIsInTheDocs(t *testing.T) {
	text := docs(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is || len(call.Args) == 0 {
				return true
			}
			name, is := call.Fun.(*ast.Ident)
			if !is || name.Name != "fail" && name.Name != "warn" {
				return true
			}
			if literal, is := call.Args[0].(*ast.BasicLit); is {
				reason, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found++
				if !strings.Contains(text, "`"+reason+"`") {
					t.Errorf("docs/checks.md does not tell of the reason %s", reason)
				}
			}
			return true
		})
	}
	for _, f := range webhookFaults {
		if !strings.Contains(text, "`"+f.reason+"`") {
			t.Errorf("docs/checks.md does not tell of the reason %s", f.reason)
		}
	}
	if found < 20 {
		t.Errorf("only %d reasons were found in the code", found)
	}
}
