package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var documented = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([a-z-]+)`")

// The documentation has the very rows that are tried, with what happens to them.
func TestTheDocumentedTableIsTheOneThatIsTried(t *testing.T) {
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := documented.FindAllStringSubmatch(string(page), -1)
	rows := table()
	if len(said) != len(rows) {
		t.Fatalf("%d rows are documented, %d are tried", len(said), len(rows))
	}
	for i, row := range rows {
		if said[i][1] != row.name || said[i][2] != string(row.want) {
			t.Errorf("documented: %s, %s; tried: %s, %s", said[i][1], said[i][2], row.name, row.want)
		}
	}
}
