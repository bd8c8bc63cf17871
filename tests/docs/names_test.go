package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// serviceAccount finds the names of ServiceAccounts in commands that no test runs.
var serviceAccount = regexp.MustCompile(`(?m)^oc adm policy .* -z (\S+)|serviceaccount[= /:]([a-z0-9-]+)`)

// What a block that is not run calls by name is what the chart makes for the release
// of the documentation, pfring in namespace kubeshark.
func TestNamesInBlocksThatAreNotRunAreTheCharts(t *testing.T) {
	chart, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	result, err := renderer.Render(chart, renderer.Options{ReleaseName: "pfring", Namespace: "kubeshark"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range result.Resources {
		if r.Kind == "ServiceAccount" {
			names = append(names, r.Name)
		}
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range serviceAccount.FindAllStringSubmatch(string(text), -1) {
			found++
			if name := m[1] + m[2]; !slices.Contains(names, name) {
				t.Errorf("%s: the chart makes no ServiceAccount %s, but %q", filepath.Base(page), name, names)
			}
		}
	}
	if found == 0 || len(names) == 0 {
		t.Errorf("%d names in the documentation, %d in the chart", found, len(names))
	}
}
