package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// errorFaults are what an error's text may not have, and what to write.
var errorFaults = []struct {
	find   *regexp.Regexp
	better string
}{
	{regexp.MustCompile(`(?i)\b(failed to|unable to|could not|couldn't|can't|error while|error when)\b`), "cannot DO WHAT: cause"},
	// Names such as DaemonSet and KMM keep their capitals, and so does %s.
	{regexp.MustCompile(`^[A-Z][a-z]*([ ,:]|$)`), "a small letter first, as the text follows others"},
	{regexp.MustCompile(`[^.][.]$`), "no period at the end, as other text follows it"},
	{regexp.MustCompile(`%T|%[+#]v|%#?p\b`), "words of the reader instead of Go's types"},
	{regexp.MustCompile(`\b(nil|struct|interface|goroutine|unmarshal|[a-z]+\.[A-Z][A-Za-z]+ is)\b`), "words of the reader instead of Go's"},
	{regexp.MustCompile(`(?i)\binvalid [^:]*%q$`), `invalid KEY "value": must be …`},
	{regexp.MustCompile(`(?i)\b(did you mean %q|did you mean "[^"]*")[^?]`), `unknown X "y", did you mean "z"?`},
}

// errorText is text of an error that stands in the code as it is.
type errorText struct {
	text     string
	pos      token.Pos
	isRemedy bool
}

// errorTexts are the texts at n: of errors.New or fmt.Errorf, of a check's finding,
// or of the fields of an error that says what, why and what to do.
func errorTexts(n ast.Node) []errorText {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch name := callee(n.Fun); {
		case (name == "errors.New" || name == "fmt.Errorf") && len(n.Args) > 0:
			return literal(n.Args[0], false)
		case (name == "fail" || name == "warn") && len(n.Args) > 2:
			return append(literal(n.Args[1], false), literal(n.Args[2], true)...)
		}
	case *ast.KeyValueExpr:
		if key, is := n.Key.(*ast.Ident); is {
			switch key.Name {
			case "What", "Why":
				return literal(n.Value, false)
			case "Do", "Remedy":
				return literal(n.Value, true)
			}
		}
	}
	return nil
}

// callee is the name of a function as it is called.
func callee(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if pkg, is := f.X.(*ast.Ident); is {
			return pkg.Name + "." + f.Sel.Name
		}
	}
	return ""
}

func literal(e ast.Expr, isRemedy bool) []errorText {
	l, is := e.(*ast.BasicLit)
	if !is || l.Kind != token.STRING {
		return nil
	}
	text, err := strconv.Unquote(l.Value)
	if err != nil || text == "" {
		return nil
	}
	return []errorText{{text, l.Pos(), isRemedy}}
}

// sentenceFields matches packages whose fields What and Why are of something else
// than errors: checks, and steps of a plan.
var sentenceFields = regexp.MustCompile(`internal/(plan|prereq)/`)

// sentences matches what a reader can follow as it stands, which may end in a
// command.
var sentences = regexp.MustCompile(`(?s)^[A-Z%].*([.:)]|: [a-z].*)$`)

// remedy finds an error's remedy, which is sentences of its own.
var remedy = regexp.MustCompile(`^(.*?[^.])\. ([A-Z].*)$`)

// Errors have the forms that CONTRIBUTING.md names.
func TestErrorsHaveTheUsualForms(t *testing.T) {
	seen := 0
	for _, top := range []string{"cmd", "internal", "module", "node", "outcome", "renderer", "values-schema", "charts"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if dir := filepath.Base(filepath.Dir(path)); dir == "moduletest" || dir == "worldtest" {
				return nil // for tests
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, e := range errorTexts(n) {
					if _, isField := n.(*ast.KeyValueExpr); isField && !e.isRemedy && sentenceFields.MatchString(path) {
						continue
					}
					seen++
					at := strings.TrimPrefix(set.Position(e.pos).String(), root+"/")
					if e.isRemedy {
						if !sentences.MatchString(e.text) {
							t.Errorf("%s: %q: a remedy is a sentence that the reader can follow", at, e.text)
						}
						continue
					}
					cause := e.text
					if m := remedy.FindStringSubmatch(cause); m != nil {
						cause = m[1]
					}
					for _, f := range errorFaults {
						if found := f.find.FindString(cause); found != "" {
							t.Errorf("%s: %q in %q: write %s", at, found, e.text, f.better)
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 300 {
		t.Errorf("only %d errors were found", seen)
	}
}
