package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// word is one line of words.tsv.
type word struct {
	comments     bool
	find, except *regexp.Regexp
	better       string
}

// readWords reads words.tsv.
func readWords(t *testing.T) []word {
	t.Helper()
	text, err := os.ReadFile("words.tsv")
	if err != nil {
		t.Fatal(err)
	}
	spaces := strings.NewReplacer(" ", `[\s#/]+`)
	var words []word
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := append(strings.Split(line, "\t"), "")
		if len(f) < 4 || (f[0] != "text" && f[0] != "all") || f[2] == "" {
			t.Fatalf("words.tsv:%d: must be where, expression, better words and exceptions, separated by tabs: %q", i+1, line)
		}
		w := word{comments: f[0] == "all", find: regexp.MustCompile("(?i)" + spaces.Replace(f[1])), better: f[2]}
		if f[3] != "" {
			w.except = regexp.MustCompile("(?i)" + spaces.Replace(f[3]))
		}
		words = append(words, w)
	}
	return words
}

// piece is text of a file, from a line on.
type piece struct {
	text    string
	line    int
	comment bool
}

// pieces splits a Go file into its strings and its comments; other files are one
// piece.
func pieces(t *testing.T, path string) []piece {
	t.Helper()
	if !strings.HasSuffix(path, ".go") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return []piece{{text: string(text), line: 1}}
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var list []piece
	for _, c := range file.Comments {
		list = append(list, piece{c.Text(), set.Position(c.Pos()).Line, true})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			// A test's own strings describe what is tested, as comments do.
			text, _ := strconv.Unquote(l.Value)
			list = append(list, piece{text, set.Position(l.Pos()).Line, strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../../tests/")})
		}
		return true
	})
	return list
}

// ours reports whether a file's words are this project's.
func ours(path string, d fs.DirEntry) bool {
	switch filepath.Ext(path) {
	case ".go", ".md", ".yaml", ".tpl", ".sh", ".txt", ".json", ".tmpl", ".html":
	default:
		return d.Name() == "Makefile"
	}
	return d.Name() != "LICENSE.txt" && d.Name() != "package-lock.json"
}

func TestNoWordOfTheList(t *testing.T) {
	words := readWords(t)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "testdata", "bin", "dist", "node_modules":
				return filepath.SkipDir
			}
			return nil
		}
		if !ours(path, d) {
			return nil
		}
		for _, p := range pieces(t, path) {
			for _, w := range words {
				if p.comment && !w.comments {
					continue
				}
				for _, at := range w.find.FindAllStringIndex(p.text, -1) {
					found := p.text[at[0]:at[1]]
					if w.except == nil || !w.except.MatchString(found) {
						t.Errorf("%s:%d: %q: write %s", strings.TrimPrefix(path, "../../"), p.line+strings.Count(p.text[:at[0]], "\n"), found, w.better)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
