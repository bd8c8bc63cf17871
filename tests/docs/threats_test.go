package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of the threat table names the tests that try it, or "–" where it says
// what is yours.
func TestEachThreatNamesTheTestsThatTryIt(t *testing.T) {
	page, err := os.ReadFile("../../docs/security-model.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| who | can | cannot | tried by |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	have := testNames(t)
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	rows := strings.Split(table, "\n")[1:]
	if len(rows) < 10 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		tests := named.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 4 || len(tests) == 0 && cells[3] != "–" {
			t.Errorf("%d cells, and no test in the last: %s", len(cells), row)
		}
		for _, test := range tests {
			if !have[test[1]] {
				t.Errorf("%s does not exist: %s", test[1], cells[0])
			}
		}
	}
}

// testNames are those of all tests in the tree.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
