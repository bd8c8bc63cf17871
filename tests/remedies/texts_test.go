// Package remedies_test takes every text of this project that a user may read, and
// follows the advice in it: commands of pfring are parsed by its own commands, those of
// kubectl and helm by kubectl and helm, keys of the values are held against the schema,
// and values that are advised are validated.
package remedies_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// text is one that the code holds.
type text struct {
	file string
	line int
	// words has PLACEHOLDER for what is put in when the program runs.
	words string
}

func (t text) String() string { return fmt.Sprintf("%s:%d: %q", t.file, t.line, t.words) }

// placeholder stands for what is not known here. It may be a file, a name or a number.
const placeholder = "PLACEHOLDER"

// texts reads all packages that users meet.
func texts(t *testing.T) []text {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	var all []text
	for _, dir := range []string{"internal", "module", "node", "outcome", "values-schema", "renderer", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			skipped := slices.Contains([]string{"testdata", "moduletest", "worldtest"}, filepath.Base(path))
			switch {
			case err != nil:
				return err
			case d.IsDir() && skipped:
				return filepath.SkipDir
			case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			found, err := textsOf(path)
			name, _ := filepath.Rel(root, path)
			for _, f := range found {
				f.file = name
				all = append(all, f)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 1000 {
		t.Fatalf("only %d texts", len(all))
	}
	return all
}

// textsOf finds the texts of a file: literals, joined by + with other expressions.
func textsOf(path string) ([]text, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []text
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return n.Tag == nil
		case *ast.BinaryExpr:
			if words, ok := joined(n); ok {
				all = append(all, text{line: files.Position(n.Pos()).Line, words: words})
				return false
			}
		case *ast.BasicLit:
			if words, ok := joined(n); ok {
				all = append(all, text{line: files.Position(n.Pos()).Line, words: words})
			}
		}
		return true
	})
	return all, nil
}

// verbs are fmt's.
var verbs = strings.NewReplacer("%s", placeholder, "%q", placeholder, "%v", placeholder, "%w", placeholder, "%d", placeholder, "%[6]s", placeholder, "%%", "%")

// joined is a text, and whether e is one at all.
func joined(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return placeholder, false
		}
		words, err := strconv.Unquote(e.Value)
		return verbs.Replace(words), err == nil
	case *ast.BinaryExpr:
		left, isLeft := joined(e.X)
		right, isRight := joined(e.Y)
		return left + right, e.Op == token.ADD && (isLeft || isRight)
	}
	return placeholder, false
}
