package packages_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/renderer"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)\n```")

// shipped are all values that people take from here, by where they stand: the
// examples, the chart's own test cases, the documentation's blocks and what is set
// in the values of each tag of Kubeshark.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{
		"a list of terms":      "tap: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}], ignoreTainted: false, tolerations: {}}",
		"terms by component":   "tap: {nodeSelectorTerms: {hub: [], workers: [{matchExpressions: [{key: a, operator: Exists}]}], front: []}, tolerations: {hub: [], workers: [], front: []}}",
		"an image's tag alone": "tap: {docker: {tag: v53.3}}",
	}
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, pattern := range []string{"examples/*.yaml", "examples/gitops/kustomize/values.yaml", "charts/testdata/*.values.yaml", "tests/historic/testdata/*.values.yaml"} {
		files, err := filepath.Glob(filepath.Join(root(t), pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			found[strings.TrimPrefix(file, root(t)+"/")] = read(file)
		}
	}
	for i, text := range strings.Split(read("testdata/kubeshark-values.yaml"), "\n---\n")[1:] {
		found[fmt.Sprintf("Kubeshark's values %d", i)] = text
	}
	pages, err := filepath.Glob(filepath.Join(root(t), "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, page := range append(pages, filepath.Join(root(t), "README.md")) {
		for i, block := range yamlBlock.FindAllStringSubmatch(read(page), -1) {
			var values map[string]any
			if yaml.Unmarshal([]byte(block[1]), &values) == nil && values["tap"] != nil && values["kind"] == nil {
				blocks++
				found[fmt.Sprintf("%s, block %d", filepath.Base(page), i)] = block[1]
			}
		}
	}
	if blocks < 5 {
		t.Errorf("the documentation has %d blocks of values", blocks)
	}
	return found
}

// What Helm says of these values is nothing, when it lints strictly, renders and
// installs. Helm 3 is the library here, which its command calls.
func TestHelm3WarnsOfNoValues(t *testing.T) {
	if testing.Short() {
		t.Skip("lints the chart with each of the values that are shipped: run without -short")
	}
	var warned bytes.Buffer
	log.SetOutput(&warned) // where Helm's library writes what it warns of
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	for name, text := range shipped(t) {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lint := action.NewLint()
		lint.Strict, lint.Namespace = true, "kubeshark"
		result := lint.Run([]string{filepath.Join(root(t), "charts/kubeshark-pfring")}, values)
		for _, m := range result.Messages {
			t.Errorf("%s: lint says %s", name, m)
		}
		for _, err := range result.Errors {
			t.Errorf("%s: lint fails: %v", name, err)
		}
		// Linting has laid the defaults into the values.
		values = nil
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		chart, err := loader.Load(filepath.Join(root(t), "charts/kubeshark-pfring"))
		if err != nil {
			t.Fatal(err)
		}
		install := action.NewInstall(&action.Configuration{})
		install.ReleaseName, install.Namespace, install.ClientOnly, install.DryRun, install.DryRunOption = "pfring", "kubeshark", true, true, "client"
		if install.KubeVersion, err = chartutil.ParseKubeVersion(renderer.DefaultKubeVersion); err != nil {
			t.Fatal(err)
		}
		if _, err := install.Run(chart, values); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if warned.Len() > 0 {
			t.Errorf("%s: Helm warns: %s", name, warned.String())
			warned.Reset()
		}
	}
}

// Helm 4 is its command: one call for each, since lint renders too.
func TestHelm4WarnsOfNoValues(t *testing.T) {
	h := newHome(t, "4")
	file := filepath.Join(t.TempDir(), "values.yaml")
	for name, text := range shipped(t) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := h.run("lint", "--strict", "charts/kubeshark-pfring", "-f", file)
		if strings.Contains(strings.ToLower(out), "warning") || strings.Contains(out, "[INFO]") || strings.Contains(out, "level=") {
			t.Errorf("%s: %s", name, out)
		}
	}
	// What it warns of comes when it renders as well; the values that Kubeshark's users have differ from the chart's most.
	for name, text := range shipped(t) {
		if !strings.HasPrefix(name, "Kubeshark") && !strings.Contains(name, " terms") && !strings.HasPrefix(name, "examples") {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := h.run("install", "pfring", "charts/kubeshark-pfring", "--dry-run=client", "-n", "kubeshark", "-f", file); strings.Contains(strings.ToLower(out), "level=warn") {
			t.Errorf("%s: %.800s", name, out)
		}
	}
}
