package renderer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Defaults of Options. The Kubernetes version is pinned, since Helm's own
// default changes with the way that it was built.
const (
	DefaultReleaseName = "pfring"
	DefaultNamespace   = "default"
	DefaultKubeVersion = "v1.31.0"
)

// Options say what to render. The zero value of each field takes the default.
type Options struct {
	// Values are what the user gave, merged; the chart's defaults are added here.
	Values      map[string]any
	ReleaseName string
	Namespace   string
	// KubeVersion is the cluster's version, such as 1.29 or v1.31.2.
	KubeVersion string
	// APIVersions are added to Helm's list of known ones, for
	// .Capabilities.APIVersions.Has.
	APIVersions []string
	// SchemaChecked says that Values have already passed the chart's own schema,
	// so that this costs no second time.
	SchemaChecked bool
	// ChartName is the name under which a parent chart has the chart (its alias), which
	// is what its templates then see; "" is the chart's own.
	ChartName string
	// IncludeCRDs puts the resources of the chart's crds/ folder first.
	IncludeCRDs bool
}

func (o Options) withDefaults() Options {
	if o.ReleaseName == "" {
		o.ReleaseName = DefaultReleaseName
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.KubeVersion == "" {
		o.KubeVersion = DefaultKubeVersion
	}
	return o
}

// Error is a refusal that lies in the values or in what the chart says of the
// cluster it needs: the answer to "can this be rendered" is no.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Render renders c. What a template or the chart's schema refuses, and a chart
// that needs another Kubernetes version, are an *Error; a wrong option is a
// plain error. o.Values is not changed.
func Render(c *Chart, o Options) (*Result, error) {
	o = o.withDefaults()
	caps, err := capabilities(c, o)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ValidateReleaseName(o.ReleaseName); err != nil {
		return nil, fmt.Errorf("invalid release name %q: must be at most 53 characters of a-z, 0-9, \"-\" and \".\" and start and end with a letter or digit", o.ReleaseName)
	}
	if faults := validation.IsDNS1123Label(o.Namespace); len(faults) > 0 {
		return nil, fmt.Errorf("invalid namespace %q: must be at most 63 characters of a-z, 0-9 and \"-\" and start and end with a letter or digit", o.Namespace)
	}
	h, err := c.load()
	if err != nil {
		return nil, err
	}
	if o.ChartName != "" {
		h.Metadata.Name = o.ChartName
	}
	files, err := execute(h, o, caps)
	if err != nil {
		return nil, &Error{err}
	}
	return newResult(h, o, files)
}

func capabilities(c *Chart, o Options) (*chartutil.Capabilities, error) {
	kv, err := chartutil.ParseKubeVersion(o.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("invalid Kubernetes version %q: must be like 1.31 or v1.31.2", o.KubeVersion)
	}
	if c.KubeVersion != "" && !chartutil.IsCompatibleRange(c.KubeVersion, kv.String()) {
		return nil, &Error{fmt.Errorf("chart %s requires Kubernetes %s, and this is %s", c.Name, c.KubeVersion, kv)}
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = *kv
	// A fresh slice: the default's is shared by the process.
	caps.APIVersions = append(append(chartutil.VersionSet{}, caps.APIVersions...), o.APIVersions...)
	return caps, nil
}

// execute does in Helm's order what `helm template` does.
func execute(h *chart.Chart, o Options, caps *chartutil.Capabilities) (map[string]string, error) {
	values := deepCopy(o.Values)
	if err := chartutil.ProcessDependenciesWithMerge(h, values); err != nil {
		return nil, fmt.Errorf("cannot resolve the chart's dependencies: %w", err)
	}
	release := chartutil.ReleaseOptions{Name: o.ReleaseName, Namespace: o.Namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValuesWithSchemaValidation(h, values, release, caps, o.SchemaChecked)
	if err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	files, err := engine.Engine{}.Render(h, all)
	if err != nil {
		return nil, fmt.Errorf("cannot render chart %s: %w", h.Name(), err)
	}
	for name := range files {
		if path.Base(name) == "NOTES.txt" {
			delete(files, name)
		}
	}
	return files, nil
}

// deepCopy copies maps, since Helm merges into them. Lists are read only.
func deepCopy(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if sub, ok := v.(map[string]any); ok {
			v = deepCopy(sub)
		}
		out[k] = v
	}
	return out
}
