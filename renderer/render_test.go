package renderer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// What the values or the chart refuse is an *Error; a wrong option is a plain
// error.
func TestRenderTellsARefusalFromAWrongOption(t *testing.T) {
	for name, c := range map[string]struct {
		o       renderer.Options
		refusal bool
		want    string
	}{
		"no version":     {renderer.Options{KubeVersion: "new"}, false, `invalid Kubernetes version "new": must be like 1.31 or v1.31.2`},
		"release name":   {renderer.Options{ReleaseName: "Not_A_Name"}, false, `invalid release name "Not_A_Name": must be at most 53 characters`},
		"namespace":      {renderer.Options{Namespace: "a.b"}, false, `invalid namespace "a.b": must be at most 63 characters`},
		"too old":        {renderer.Options{KubeVersion: "1.24"}, true, "chart kubeshark-pfring requires Kubernetes >=1.25.0-0, and this is v1.24"},
		"schema":         {renderer.Options{Values: parseValues(t, "tap: {kernelModule: {mode: kmn}}")}, true, "mode"},
		"template fails": {renderer.Options{Values: parseValues(t, "tap: {kernelModule: {mode: kmm, kernelMappings: []}}")}, true, "kmm mode needs at least one mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.Render(embedded(t), c.o)
			if e := (*renderer.Error)(nil); err == nil || errors.As(err, &e) != c.refusal {
				t.Fatalf("got %v, refusal: %v", err, !c.refusal)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// What a template breaks is reported as an error, with the template's name.
func TestRenderTellsABrokenChart(t *testing.T) {
	for name, c := range map[string]struct{ template, want string }{
		"not YAML":       {"a: b: c\n", "invalid YAML"},
		"no kind":        {"apiVersion: v1\nmetadata: {name: x}\n", "without apiVersion, kind and metadata.name"},
		"no name":        {"apiVersion: v1\nkind: ConfigMap\n", "without apiVersion, kind and metadata.name"},
		"template error": {"{{ .Values.a.b.c }}\n", "templates/t.yaml"},
		"parse error":    {"{{ if }}\n", "templates/t.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderer.Render(smallChart(t, map[string]string{"templates/t.yaml": c.template}), renderer.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestLoadPathTellsWhatIsNoChart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tgz")
	if err := os.WriteFile(file, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file, filepath.Join(dir, "missing")} {
		if _, err := renderer.LoadPath(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	missing := map[string]string{"Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, repository: https://x.example}]\n"}
	for name, text := range missing {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := renderer.LoadPath(dir); err == nil || !strings.Contains(err.Error(), "helm dependency build") {
		t.Errorf("got %v", err)
	}
}

// Rendering changes neither the chart nor the values, so that one chart serves
// many renderings.
func TestRenderLeavesItsInputAlone(t *testing.T) {
	c := embedded(t)
	want := stream(t, render(t, c, renderer.Options{Values: map[string]any{}}))
	values := parseValues(t, "tap: {kernelModule: {mode: kmm, kmm: {selector: {a: b}}}, labels: null}")
	first := stream(t, render(t, c, renderer.Options{Values: values, APIVersions: []string{"a/v1"}}))
	if second := stream(t, render(t, c, renderer.Options{Values: values, APIVersions: []string{"a/v1"}})); second != first {
		t.Error("the second rendering of the same values differs")
	}
	if _, there := values["tap"].(map[string]any)["labels"]; !there {
		t.Error("the values were changed")
	}
	if got := stream(t, render(t, c, renderer.Options{Values: map[string]any{}})); got != want {
		t.Error("rendering other values in between changed the result")
	}
	if first == want {
		t.Error("both modes render to the same")
	}
}

func TestAPIVersionsReachTheTemplates(t *testing.T) {
	c := smallChart(t, map[string]string{"templates/t.yaml": `{{ if .Capabilities.APIVersions.Has "a.example/v1" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
{{ end }}`})
	for _, versions := range [][]string{{"a.example/v1"}, nil} {
		if got := len(render(t, c, renderer.Options{APIVersions: versions}).Resources); got != len(versions) {
			t.Errorf("%v: %d resources", versions, got)
		}
	}
}

func TestResourceKnowsItsNamespaceAndSource(t *testing.T) {
	r := render(t, embedded(t), renderer.Options{Namespace: "lab"})
	for _, res := range r.Resources {
		want := "lab"
		if strings.HasPrefix(res.Kind, "Cluster") {
			want = ""
		}
		if res.Namespace != want || !strings.HasPrefix(res.Source, "kubeshark-pfring/templates/") {
			t.Errorf("%s %s: namespace %q, source %q", res.Kind, res.Name, res.Namespace, res.Source)
		}
	}
	if len(r.Resources) == 0 || r.HooksLeftOut == 0 {
		t.Errorf("%d resources, %d hooks", len(r.Resources), r.HooksLeftOut)
	}
}

func TestALibraryChartIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := "apiVersion: v2\nname: small\nversion: 1.0.0\ntype: library\n"
	if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	chart, err := renderer.LoadPath(dir)
	if err == nil {
		_, err = renderer.Render(chart, renderer.Options{})
	}
	if err == nil || !strings.Contains(err.Error(), "library") {
		t.Errorf("err = %v, want one that names the type", err)
	}
}

func TestDocumentsOfCommentsAreNoResources(t *testing.T) {
	got, err := renderer.ReadManifests("# Source: a\n---\n# nothing here\n\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n")
	if err != nil || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("got %+v, %v; want the ConfigMap alone", got, err)
	}
}
