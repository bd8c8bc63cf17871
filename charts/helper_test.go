package charts_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
)

// object is a rendered Kubernetes object.
type object = map[string]any

// release is what Helm tells the templates about an installation.
type release struct{ name, namespace string }

var defaultRelease = release{name: "pfring", namespace: "kubeshark"}

// loadChart reads the embedded chart the way the renderer does.
func loadChart(t testing.TB) *chart.Chart {
	t.Helper()
	root, err := fs.Sub(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	var files []*loader.BufferedFile
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files = append(files, &loader.BufferedFile{Name: path, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	// The schema has its own tests; here the templates stand alone, also with values that it would refuse.
	c.Schema = nil
	return c
}

// renderFiles returns the output of every template by its name.
func renderFiles(t testing.TB, rel release, values string) (map[string]string, error) {
	t.Helper()
	var vals map[string]any
	if err := yaml.Unmarshal([]byte(values), &vals); err != nil {
		t.Fatalf("values of the test: %v", err)
	}
	return renderValues(t, rel, vals)
}

func renderValues(t testing.TB, rel release, vals map[string]any) (map[string]string, error) {
	t.Helper()
	c := loadChart(t)
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	options := chartutil.ReleaseOptions{Name: rel.name, Namespace: rel.namespace, Revision: 1, IsInstall: true}
	if err := chartutil.ProcessDependenciesWithMerge(c, vals); err != nil {
		return nil, err
	}
	full, err := chartutil.ToRenderValues(c, vals, options, caps)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, full)
}

// manifests joins the objects of a rendering, templates in order of name, without NOTES.
func manifests(files map[string]string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") || strings.TrimSpace(files[name]) == "" {
			continue
		}
		out.WriteString("---\n# Source: " + name + "\n" + strings.TrimSpace(files[name]) + "\n")
	}
	return out.String()
}

// notes is what Helm prints after an installation.
func notes(files map[string]string) string {
	return files[charts.Name+"/templates/NOTES.txt"]
}

// render returns the manifests, which must render.
func render(t testing.TB, values string) string {
	t.Helper()
	files, err := renderFiles(t, defaultRelease, values)
	if err != nil {
		t.Fatalf("rendering: %v", err)
	}
	return manifests(files)
}

// parse reads manifests strictly: a key that stands twice is an error.
func parse(t testing.TB, text string) []object {
	t.Helper()
	var out []object
	for doc := range strings.SplitSeq(text, "---\n") {
		var obj object
		if err := yaml.UnmarshalStrict([]byte(doc), &obj); err != nil {
			t.Fatalf("not YAML: %v\n%s", err, doc)
		}
		if len(obj) > 0 {
			out = append(out, obj)
		}
	}
	return out
}

// find returns the only object of a kind that is not a test hook, or nil.
func find(t testing.TB, objects []object, kind string) object {
	t.Helper()
	var found object
	for _, obj := range objects {
		if obj["kind"] != kind {
			continue
		}
		if found != nil {
			t.Fatalf("two objects of kind %s", kind)
		}
		found = obj
	}
	return found
}

// at walks down maps and lists: "spec.template.spec.containers.0.name". A missing step gives nil.
func at(value any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i := int(step[0] - '0')
			if len(step) != 1 || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
