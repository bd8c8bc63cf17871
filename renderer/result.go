package renderer

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

// Resource is one rendered object.
type Resource struct {
	// Source is the template that it comes from, such as chart/templates/x.yaml.
	Source string
	// Namespace is "" where the manifest names none.
	APIVersion, Kind, Name, Namespace string
	// YAML is the manifest as the template wrote it, without `---`, ending in
	// one newline.
	YAML string
}

// Result is what a chart renders to, in the order in which Helm installs it.
type Result struct {
	Resources []Resource
	// Namespace is the one that resources without their own belong to.
	Namespace string
	// HooksLeftOut counts the hooks, such as those of `helm test`, that are not
	// among Resources: only Helm runs hooks.
	HooksLeftOut int
}

func newResult(h *chart.Chart, o Options, files map[string]string) (*Result, error) {
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, &Error{fmt.Errorf("chart %s renders to invalid YAML with these values: %w", h.Name(), err)}
	}
	r := &Result{Namespace: o.Namespace, HooksLeftOut: len(hooks)}
	if o.IncludeCRDs {
		for _, crd := range h.CRDObjects() {
			if err := r.addAll(crd.Filename, string(crd.File.Data)); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range manifests {
		if err := r.add(m.Name, m.Content); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// addAll adds each document of a file, in the file's order.
func (r *Result) addAll(source, text string) error {
	for _, doc := range strings.Split("\n"+text, "\n---") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		if err := r.add(source, doc); err != nil {
			return err
		}
	}
	return nil
}

// ReadManifests reads a stream of manifests, such as Helm keeps of a release.
func ReadManifests(stream string) ([]Resource, error) {
	var r Result
	if err := r.addAll("the manifests", stream); err != nil {
		return nil, err
	}
	return r.Resources, nil
}

func (r *Result) add(source, text string) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		return fmt.Errorf("cannot read what %s renders to: %w", source, err)
	}
	if head.Kind == "" && head.APIVersion == "" && onlyComments(text) {
		return nil
	}
	if head.Kind == "" || head.APIVersion == "" || head.Metadata.Name == "" {
		return fmt.Errorf("%s renders to a document without apiVersion, kind and metadata.name", source)
	}
	r.Resources = append(r.Resources, Resource{
		Source: source, APIVersion: head.APIVersion, Kind: head.Kind,
		Name: head.Metadata.Name, Namespace: head.Metadata.Namespace,
		YAML: strings.TrimSpace(text) + "\n",
	})
	return nil
}

func onlyComments(text string) bool {
	for line := range strings.Lines(text) {
		if l := strings.TrimSpace(line); l != "" && !strings.HasPrefix(l, "#") {
			return false
		}
	}
	return true
}

// WriteStream writes all resources as one YAML stream, each with a comment that
// names its template, as `helm template` does.
func (r *Result) WriteStream(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, res := range r.Resources {
		// A bufio.Writer keeps its first error and gives it at Flush.
		_, _ = fmt.Fprintf(b, "---\n# Source: %s\n%s", res.Source, res.YAML) // into memory
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("cannot write the manifests: %w", err)
	}
	return nil
}
