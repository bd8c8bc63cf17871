package valuesschema_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// What validate finds no error in, the chart renders to clean YAML: no template
// refuses it, no value breaks out of its place, and the Go types hold it.
func TestValidValuesRender(t *testing.T) {
	helmChart(t)
	c, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	root, defaults, rendered := schema(t), chartDefaults(t), map[string]int{}
	check(t, func(t *rapid.T) {
		g := generator{root: root}
		drawn := g.object(t, root, 0)
		if percent(t, 60, "mutate") {
			mutate(t, drawn)
		}
		text, err := yaml.Marshal(drawn)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(text), Defaults: defaults})
		if err != nil {
			t.Fatal(err)
		}
		if errs, _ := valuesschema.Count(doc.Validate()); errs > 0 {
			return
		}
		if _, err := doc.Typed(); err != nil {
			t.Fatalf("as Go types: %v\nvalues:\n%s", err, text)
		}
		r, err := renderer.Render(c, renderer.Options{Values: doc.Values(), ReleaseName: "kubeshark-pfring", Namespace: "kubeshark"})
		if err != nil {
			t.Fatalf("%v\nvalues:\n%s", err, text)
		}
		for _, res := range r.Resources {
			var object map[string]any
			if err := yaml.UnmarshalStrict([]byte(res.YAML), &object); err != nil {
				t.Fatalf("%s: %v\nvalues:\n%s\nmanifest:\n%s", res.Source, err, text, res.YAML)
			}
			rendered[res.Kind]++
		}
	})
	for _, kind := range []string{"DaemonSet", "Module", "ServiceAccount", "Role", "NetworkPolicy", "PodMonitor"} {
		if rendered[kind] == 0 {
			t.Errorf("no %s was ever rendered, so nothing is proved of it: %v", kind, rendered)
		}
	}
	t.Logf("rendered: %v", rendered)
}
