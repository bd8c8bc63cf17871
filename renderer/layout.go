package renderer

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// File is one file of a folder layout; Name has no folder in it.
type File struct {
	Name string
	Data []byte
}

// Files lays the result out as one file a resource.
func (r *Result) Files() []File {
	names := fileNames(r.Resources)
	files := make([]File, 0, len(names)+1)
	for i, res := range r.Resources {
		files = append(files, File{Name: names[i], Data: fmt.Appendf(nil, "# Source: %s\n%s", res.Source, res.YAML)})
	}
	return files
}

// kustomization is the part of kustomize's file that is written.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Resources  []string `json:"resources"`
}

// Kustomize lays the result out as a kustomize base: one file a resource and a
// kustomization.yaml that lists them and sets the namespace.
func (r *Result) Kustomize() ([]File, error) {
	k := kustomization{
		APIVersion: "kustomize.config.k8s.io/v1beta1",
		Kind:       "Kustomization",
		Namespace:  r.Namespace,
		Resources:  []string{},
	}
	files := r.Files()
	for _, f := range files {
		k.Resources = append(k.Resources, f.Name)
	}
	data, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("cannot write the kustomization: %w", err)
	}
	return append(files, File{Name: "kustomization.yaml", Data: data}), nil
}
