package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// installed is this chart in a release: the whole of it, or a dependency of its chart.
type installed struct {
	// key is that of this chart in the values of the release; "" where they are its own.
	key string
	// parent is the chart that has this one as a dependency; "" for none.
	parent string
	values map[string]any
	// objects are those of this chart alone.
	objects []renderer.Resource
}

// readInstalled reads a release from the cluster.
func readInstalled(ctx context.Context, config *rest.Config, namespace, name string) (*installed, error) {
	record, err := cluster.ReleaseRecord(ctx, config, namespace, name)
	if err != nil {
		return nil, err
	}
	all, err := renderer.ReadManifests(record.Manifest)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifests of the installed release: %w", err)
	}
	in := &installed{values: record.Values}
	folder, found := ownFolder(all)
	switch {
	case !found && record.Chart != "" && record.Chart != charts.Name:
		return nil, fmt.Errorf("release %s is of chart %s, of which no object belongs to %s", name, record.Chart, charts.Name)
	case !found:
		in.objects = all
		return in, nil
	}
	for _, r := range all {
		if folderOf(r) == folder {
			in.objects = append(in.objects, r)
		}
	}
	above, _, is := strings.Cut(folder, "/charts/")
	if !is {
		return in, nil
	}
	in.key, in.parent = path.Base(folder), above
	if folder != in.parent+"/charts/"+in.key {
		return nil, fmt.Errorf("release %s has %s as a dependency of a dependency (%s), whose values cannot be found", name, charts.Name, folder)
	}
	in.values = map[string]any{in.key: record.Below(in.key)}
	if global, is := record.Values["global"]; is {
		in.values["global"] = global
	}
	return in, nil
}

// base are the values as a file; with none of the installed ones if they do not count.
func (in *installed) base(count bool) ([]byte, error) {
	values := in.values
	switch {
	case !count && in.key == "":
		return nil, nil
	case !count:
		// The key is there, whether or not anything is set below it.
		values = map[string]any{in.key: map[string]any{}}
	}
	data, err := yaml.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("cannot read the installed values: %w", err)
	}
	return data, nil
}

// ownFolder is the chart's folder that the objects of this chart are from.
func ownFolder(all []renderer.Resource) (folder string, found bool) {
	for _, r := range all {
		var head struct {
			Metadata struct {
				Labels map[string]any `json:"labels"`
			} `json:"metadata"`
		}
		if yaml.Unmarshal([]byte(r.YAML), &head) == nil && head.Metadata.Labels["app.kubernetes.io/name"] == charts.Name {
			return folderOf(r), true
		}
	}
	return "", false
}

// folderOf is the folder of the chart that an object is from, of which Helm keeps a
// comment.
func folderOf(r renderer.Resource) string {
	for line := range strings.Lines(r.YAML) {
		if source, is := strings.CutPrefix(line, "# Source: "); is {
			folder, _, _ := strings.Cut(source, "/templates/")
			return strings.TrimSpace(folder)
		}
	}
	return ""
}
