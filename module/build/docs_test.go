package build

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
)

func TestTheDocumentedRecipesAreThese(t *testing.T) {
	var b bytes.Buffer
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
	goldentest.Section(t, "../../docs/recipes.md", "<!-- recipes: go test ./module/build -update -->\n", "<!-- end -->", b.Bytes())
}

func TestTheDocumentedCombinationsAreThese(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("| PF_RING | kernel series | compiles | source |\n| --- | --- | --- | --- |\n")
	for _, c := range combinations() {
		compiles := "yes"
		if !c.compiles {
			compiles = "no"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.version, c.series, compiles, c.source)
	}
	goldentest.Section(t, "../../docs/supply.md", "<!-- combinations: go test ./module/build -update -->\n", "<!-- end -->", b.Bytes())
}
