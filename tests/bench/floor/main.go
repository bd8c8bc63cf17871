// Command floor is the least program that renders a chart with Helm's library and
// has what pfring validates with: what pfring takes beyond it is pfring's own.
// Without arguments it ends at once, so that its start can be measured.
//
//	floor CHART VALUES
package main

import (
	"fmt"
	"os"

	_ "github.com/xeipuuv/gojsonschema"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	if len(os.Args) < 3 {
		return
	}
	if err := render(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func render(path, file string) error {
	chart, err := loader.Load(path)
	if err != nil {
		return err
	}
	values, err := chartutil.ReadValuesFile(file)
	if err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: "pfring", Namespace: "default", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return err
	}
	for name, text := range files {
		fmt.Printf("---\n# Source: %s\n%s\n", name, text)
	}
	return nil
}
