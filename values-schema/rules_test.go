package valuesschema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
)

// Each case is a values file and exactly the problems that it has, with their
// places and what to write instead.
func TestValidateTellsEachProblemWithItsPlace(t *testing.T) {
	for _, c := range ruleCases(t) {
		path, err := filepath.Abs(c.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(c.name, func(t *testing.T) {
			got := describe(c.validate(t))
			if goldentest.Update() {
				last := len(c.archive.Files) - 1
				c.archive.Files[last].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(c.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != c.want {
				t.Errorf("%s; run go test ./values-schema -update and look at the diff\ngot:\n%s\nwant:\n%s", path, got, c.want)
			}
		})
	}
}

// A problem is for people: one line of what is wrong and at most one of what to
// write, with no type or value in Go's notation.
func TestProblemsReadWell(t *testing.T) {
	for _, c := range ruleCases(t) {
		for line := range strings.Lines(c.want) {
			if len(line) > 420 {
				t.Errorf("%s: a line of %d bytes: %s", c.path, len(line), line)
			}
			for _, bad := range []string{"interface {}", "map[", "&{", "%!", "<nil>", "goroutine", " json: ", " yaml: "} {
				if strings.Contains(line, bad) {
					t.Errorf("%s: %q in %s", c.path, bad, line)
				}
			}
		}
		if strings.Contains(c.want, "me:secret") {
			t.Errorf("%s: a secret is repeated", c.path)
		}
	}
}

// noCase are the rules that no values file can break, and that of the hostile ones
// (TestHostileFilesHaveAnEnd).
var noCase = []string{"internal", "too-many-problems"}

func TestEveryRuleHasACase(t *testing.T) {
	var seen strings.Builder
	for _, c := range ruleCases(t) {
		seen.WriteString(c.want)
	}
	for _, rule := range ruleIDs(t) {
		if !strings.Contains(seen.String(), "("+rule+")\n") && !slices.Contains(noCase, rule) {
			t.Errorf("no case in testdata/rules has the rule %s", rule)
		}
	}
}

func TestEveryRuleHasASectionInTheDocs(t *testing.T) {
	data, err := os.ReadFile("../docs/validation.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := ruleIDs(t)
	for _, rule := range ids {
		if !strings.Contains(string(data), "\n### "+rule+"\n") {
			t.Errorf("docs/validation.md has no section ### %s", rule)
		}
	}
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "### "); ok && !slices.Contains(ids, strings.TrimSpace(id)) {
			t.Errorf("docs/validation.md has a section for %s, which is not a rule", strings.TrimSpace(id))
		}
	}
}

// ruleIDs collects the ids from the package's own source: the first argument of
// errorf and warnf, the second of add, the fourth of fatal, and Rule fields.
func ruleIDs(t testing.TB) []string {
	t.Helper()
	position := map[string]int{"errorf": 0, "warnf": 0, "add": 1, "fatal": 3}
	var ids []string
	collect := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			id, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i, ok := position[called(n)]; ok && i < len(n.Args) {
					collect(n.Args[i])
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Rule" {
					collect(n.Value)
				}
			}
			return true
		})
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) < 30 {
		t.Fatalf("only %d rules found, so they are looked for in the wrong way: %v", len(ids), ids)
	}
	return ids
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func sources(t testing.TB) []*ast.File {
	t.Helper()
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
