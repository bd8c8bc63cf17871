package build

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables in docs/recipes.md and docs/supply.md again")

func TestTheDocumentedRecipesAreThese(t *testing.T) {
	const path, begin, stop = "../../docs/recipes.md", "<!-- recipes: go test ./module/build -update -->\n", "<!-- end -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, stop)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the recipes", path)
	}
	var b strings.Builder
	b.WriteString("| nodes | recipe | builder image | run |\n| --- | --- | --- | --- |\n")
	for i, f := range families {
		r := Recipes()[i]
		run := "not here"
		if f.proven {
			run = "12, with kernels 6.1 and 6.12"
		}
		versions := ""
		if f.oldest > 0 {
			versions = " " + f.versions()
		}
		fmt.Fprintf(&b, "| %s%s | `%s` | `%s` | %s |\n", f.title, versions, r.Name, r.Image, run)
	}
	want := head + begin + b.String() + stop + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s is not what the code says; go test ./module/build -update", path)
	}
}

func TestTheDocumentedCombinationsAreThese(t *testing.T) {
	const path, begin, stop = "../../docs/supply.md", "<!-- combinations: go test ./module/build -update -->\n", "<!-- end -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, stop)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the combinations", path)
	}
	var b strings.Builder
	b.WriteString("| PF_RING | kernel series | compiles | source |\n| --- | --- | --- | --- |\n")
	for _, c := range combinations() {
		compiles := "yes"
		if !c.compiles {
			compiles = "no"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.version, c.series, compiles, c.source)
	}
	want := head + begin + b.String() + stop + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s is not what the code says; go test ./module/build -update", path)
	}
}
