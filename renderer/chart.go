package renderer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// Chart is a loaded chart. It is not changed by rendering, so one may be used
// for many renderings, one after the other.
type Chart struct {
	// files are kept because Helm changes a chart while it resolves
	// dependencies: each rendering loads its own.
	files []*loader.BufferedFile
	// Name and Version are the chart's own; AppVersion may be "".
	Name, Version, AppVersion string
	// KubeVersion is the range of Kubernetes versions that the chart states, or "".
	KubeVersion string
	// Values is the chart's values.yaml.
	Values []byte
}

// LoadFS loads the chart that stands in folder dir of fsys, as an embedded one
// does. A .helmignore is not heeded: an embedded chart holds what it should.
func LoadFS(fsys fs.FS, dir string) (*Chart, error) {
	var files []*loader.BufferedFile
	err := fs.WalkDir(fsys, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		files = append(files, &loader.BufferedFile{Name: strings.TrimPrefix(p, dir+"/"), Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read chart %s: %w", dir, err)
	}
	return newChart(dir, files)
}

// LoadPath loads a chart from a folder (heeding .helmignore) or from a packaged
// .tgz file.
func LoadPath(path string) (*Chart, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, "Chart.yaml")); err != nil {
			return nil, fmt.Errorf("cannot load chart %s: Chart.yaml not found", path)
		}
	}
	c, err := loader.Load(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load chart %s: %w", path, err)
	}
	files := make([]*loader.BufferedFile, 0, len(c.Raw))
	for _, f := range c.Raw {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return newChart(path, files)
}

func newChart(where string, files []*loader.BufferedFile) (*Chart, error) {
	c := &Chart{files: files}
	meta, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("cannot load chart %s: %w", where, err)
	}
	c.Name, c.Version = meta.Name(), meta.Metadata.Version
	c.AppVersion, c.KubeVersion = meta.Metadata.AppVersion, meta.Metadata.KubeVersion
	for _, f := range files {
		if f.Name == "values.yaml" {
			c.Values = f.Data
		}
	}
	return c, nil
}

// load returns a fresh copy in Helm's own type.
func (c *Chart) load() (*chart.Chart, error) {
	h, err := loader.LoadFiles(c.files)
	if err != nil {
		return nil, err
	}
	if t := h.Metadata.Type; t != "" && t != "application" {
		return nil, errors.New("its type is " + t + ", and only an application chart can be rendered")
	}
	return h, missingDependency(h)
}

// missingDependency is an error when a chart that the Chart.yaml names is not in
// charts/; Helm, too, refuses to render then.
func missingDependency(h *chart.Chart) error {
	have := map[string]bool{}
	for _, d := range h.Dependencies() {
		have[d.Name()] = true
	}
	for _, d := range h.Metadata.Dependencies {
		if !have[d.Name] {
			return fmt.Errorf("its dependency %s is not in charts/; run: helm dependency build", d.Name)
		}
	}
	return nil
}
