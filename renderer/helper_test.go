package renderer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

const chartDir = "../charts/kubeshark-pfring"

func embedded(t testing.TB) *renderer.Chart {
	t.Helper()
	c, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// valuesFiles are the values of the chart's own golden tests.
func valuesFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../charts/testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values: %v", err)
	}
	return files
}

func caseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".values.yaml") }

func readValues(t testing.TB, file string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parseValues(t, string(data))
}

func parseValues(t testing.TB, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func render(t testing.TB, c *renderer.Chart, o renderer.Options) *renderer.Result {
	t.Helper()
	r, err := renderer.Render(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stream(t testing.TB, r *renderer.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteStream(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// objects reads a stream of manifests strictly: a key that stands twice is an
// error.
func objects(t testing.TB, text string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, doc := range strings.Split("\n"+text, "\n---\n") {
		var o map[string]any
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if len(o) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// smallChart is a chart of these templates, in memory.
func smallChart(t testing.TB, files map[string]string) *renderer.Chart {
	t.Helper()
	dir := t.TempDir()
	if files["Chart.yaml"] == "" {
		files["Chart.yaml"] = "apiVersion: v2\nname: small\nversion: 1.0.0\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, "small", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := renderer.LoadPath(filepath.Join(dir, "small"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
