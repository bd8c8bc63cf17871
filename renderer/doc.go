// Package renderer turns a chart and values into Kubernetes manifests, and
// writes them as one stream, as one file a resource, or as a kustomize base.
//
// It is the only package that imports Helm, and of Helm only the parts that load
// and render charts: no cluster, no release storage, no registry. What it renders
// depends on its Options alone, never on the environment, the clock or a file
// that was not named. Checking the values in depth is left to valuesschema; the
// chart's own schema is checked here too, as Helm does.
package renderer
