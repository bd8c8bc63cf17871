package renderer_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/renderer"
)

func TestKustomizeBaseListsEveryFile(t *testing.T) {
	r := render(t, embedded(t), renderer.Options{Namespace: "lab", Values: parseValues(t, "tap: {kernelModule: {mode: kmm}}")})
	files, err := r.Kustomize()
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1]
	if last.Name != "kustomization.yaml" {
		t.Fatalf("the last file is %s", last.Name)
	}
	var k struct {
		APIVersion, Kind, Namespace string
		Resources                   []string
	}
	if err := yaml.UnmarshalStrict(last.Data, &k); err != nil {
		t.Fatal(err)
	}
	if k.Kind != "Kustomization" || k.Namespace != "lab" || len(k.Resources) != len(r.Resources) {
		t.Errorf("%+v for %d resources", k, len(r.Resources))
	}
	for i, name := range k.Resources {
		if files[i].Name != name {
			t.Errorf("resource %d is %s, the file is %s", i, name, files[i].Name)
		}
	}
}

// A chart without resources gives a base that kustomize takes: with a list.
func TestKustomizeBaseOfNothing(t *testing.T) {
	files, err := (&renderer.Result{Namespace: "lab"}).Kustomize()
	if err != nil || len(files) != 1 || !strings.Contains(string(files[0].Data), "resources: []") {
		t.Errorf("%v, %v", files, err)
	}
}

// Each resource gets a name of its own that every file system takes, the same
// one in every rendering.
func TestFileNames(t *testing.T) {
	long := strings.Repeat("x", 300)
	r := &renderer.Result{Resources: []renderer.Resource{
		{Kind: "ConfigMap", Name: "a"}, {Kind: "ConfigMap", Name: "a", Namespace: "other"}, {Kind: "ClusterRole", Name: "system:node/../x"},
		{Kind: "ConfigMap", Name: "a-2"}, {Kind: "Secret", Name: long}, {Kind: "Secret", Name: long},
	}}
	want := []string{"configmap-a.yaml", "configmap-a-2.yaml", "clusterrole-system_node_.._x.yaml", "configmap-a-2-2.yaml"}
	seen := map[string]bool{}
	for i, f := range r.Files() {
		if i < len(want) && f.Name != want[i] {
			t.Errorf("file %d is %s, want %s", i, f.Name, want[i])
		}
		if seen[f.Name] || len(f.Name) > 255 || strings.ContainsAny(f.Name, "/:\\") {
			t.Errorf("file %d: %s", i, f.Name)
		}
		seen[f.Name] = true
	}
}
