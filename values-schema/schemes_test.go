package valuesschema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// The lists of all schemes in what people read, in the ways in which they are
// written: they begin with https.
var (
	schemePattern = regexp.MustCompile(`\(\(https\|[a-z0-9|]+\)://`)
	schemeForms   = regexp.MustCompile(`https://HOST/PATH(?:, [a-z0-9]+://[A-Z/]+)+ or [a-z0-9]+://[A-Z/]+`)
	schemeNames   = regexp.MustCompile("`https://`(?:, `[a-z0-9]+://`){2,}(,| or) `[a-z0-9]+://`")
	schemeTable   = regexp.MustCompile(`(?s)(<!-- sources: [^\n]*-->\n).*?(\n\n|$)`)
)

// schemesListed is text with each list of schemes as package module has them.
func schemesListed(text string) string {
	var names, rows []string
	for _, s := range module.Schemes() {
		names = append(names, s.Name)
		rows = append(rows, "| `"+s.Form+"` | `"+s.Example+"` | "+strings.TrimLeft(s.Rule, " ,")+" |")
	}
	last := len(names) - 1
	text = schemePattern.ReplaceAllLiteralString(text, "(("+strings.Join(names, "|")+")://")
	text = schemeForms.ReplaceAllLiteralString(text, module.URLForms())
	text = schemeNames.ReplaceAllString(text, "`"+strings.Join(names[:last], "://`, `")+"://`$1 `"+names[last]+"://`")
	return schemeTable.ReplaceAllString(text, "${1}| Form | Example | Only |\n| --- | --- | --- |\n"+strings.Join(rows, "\n")+"$2")
}

func TestEveryListOfSchemesIsThatOfPackageModule(t *testing.T) {
	files := []string{"values.schema.json", "../README.md", "../charts/kubeshark-pfring/README.md", "../charts/kubeshark-pfring/values.yaml"}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = slices.DeleteFunc(pages, func(name string) bool {
		// The first two are made from the schema and the commands; the last says what
		// was tried.
		return slices.Contains([]string{"values.md", "cli.md", "support.md"}, filepath.Base(name))
	})
	lists := 0
	for _, name := range append(files, pages...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, list := range []*regexp.Regexp{schemePattern, schemeForms, schemeNames, schemeTable} {
			lists += len(list.FindAllString(text, -1))
		}
		switch want := schemesListed(text); {
		case want == text:
		case goldentest.Update():
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s does not list the schemes of module/scheme.go; make golden writes it again", strings.TrimPrefix(name, "../"))
		}
	}
	if lists < 6 {
		t.Errorf("only %d lists of schemes were found", lists)
	}
}

func TestTheExampleOfEachSchemeIsValid(t *testing.T) {
	for _, scheme := range module.Schemes() {
		if s, found := module.SchemeOf(scheme.Example); !found || s.Name != scheme.Name || !s.Valid(scheme.Example) {
			t.Errorf("%s is not valid for the scheme %s", scheme.Example, scheme.Name)
		}
		if _, err := module.OpenSource(module.SourceOptions{URL: scheme.Example}); err != nil {
			t.Error(err)
		}
	}
}
