// Command flux builds a Kustomization of Flux as its kustomize-controller does, with
// Flux' own library: it completes the folder's kustomization.yaml, builds it, and puts
// the variables of postBuild in. Usage: flux KUSTOMIZATION-FILE DIR
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: flux KUSTOMIZATION-FILE DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "flux:", err)
		os.Exit(2)
	}
}

func run(file, dir string, out io.Writer) error {
	text, err := os.ReadFile(file) // #nosec G304 -- the test's own
	if err != nil {
		return err
	}
	var of unstructured.Unstructured
	if err := yaml.Unmarshal(text, &of.Object); err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	if _, err := kustomize.NewGenerator(dir, of).WriteFile(dir); err != nil {
		return fmt.Errorf("cannot complete the kustomization.yaml of %s: %w", dir, err)
	}
	built, err := kustomize.SecureBuild(dir, dir, false)
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", dir, err)
	}
	for _, resource := range built.Resources() {
		put, err := kustomize.SubstituteVariables(context.Background(), nil, of, resource, kustomize.SubstituteWithDryRun(true))
		if err != nil {
			return fmt.Errorf("cannot put variables into %s: %w", resource.CurId(), err)
		}
		if put == nil {
			put = resource // marked to be left alone
		}
		object, err := put.AsYAML()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "---\n%s", object); err != nil {
			return err
		}
	}
	return nil
}
