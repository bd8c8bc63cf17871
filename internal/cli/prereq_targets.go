package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// targets are the releases that are checked: one for each mode.
func (f *prereqFlags) targets(cmd *cobra.Command, namespace string) ([]prereq.Target, error) {
	base, err := f.base(cmd.Context(), namespace)
	if err != nil {
		return nil, err
	}
	var stdin []byte
	if slices.Contains(f.values.files, "-") {
		// Both modes read the same values.
		if stdin, err = readAll(cmd.Context(), "-", input(cmd)); err != nil {
			return nil, fmt.Errorf("cannot read the values: %w", err)
		}
	}
	modes := []string{f.mode}
	if f.mode == "both" {
		modes = []string{prereq.ModeAuto, prereq.ModeKMM}
	}
	var targets []prereq.Target
	for _, mode := range modes {
		doc, err := f.document(cmd, base, stdin, namespace, mode)
		if err != nil {
			return nil, err
		}
		t, err := f.target(doc, namespace)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// base are the values of the installed release, as a file below the user's own;
// nil without --release.
func (f *prereqFlags) base(ctx context.Context, namespace string) ([]byte, error) {
	if f.installed == "" {
		return nil, nil
	}
	config, err := f.kube.restConfig()
	if err != nil {
		return nil, err
	}
	in, err := readInstalled(ctx, config, namespace, f.release)
	if err != nil {
		return nil, err
	}
	if f.values.subchart == "" {
		f.values.subchart = in.key
	}
	return in.base(true)
}

// document merges and validates the values for a mode.
func (f *prereqFlags) document(cmd *cobra.Command, base, stdin []byte, namespace, mode string) (*valuesschema.Document, error) {
	o, err := f.values.loadOptions(cmd, bytes.NewReader(stdin))
	if err != nil {
		return nil, err
	}
	o.Base, o.ReleaseName, o.Namespace = base, f.release, namespace
	if mode != "" {
		o.SetOwn = append(o.SetOwn, "tap.kernelModule.mode="+mode)
	}
	if f.probe.wanted && f.source.url != "" {
		// The pods are to ask the same repository.
		o.SetOwn = append(o.SetOwn, "tap.kernelModule.source.url="+strings.ReplaceAll(f.source.url, ",", `\,`))
	}
	doc, err := valuesschema.Load(o)
	if err != nil {
		return nil, err
	}
	return doc, refuseInvalid(cmd, doc, len(f.values.files), "nothing was checked: the values are invalid")
}

// target renders the chart for a mode's values.
func (f *prereqFlags) target(doc *valuesschema.Document, namespace string) (t prereq.Target, err error) {
	if t.Values, err = doc.Typed(); err != nil {
		return t, err
	}
	if f.source.url != "" {
		t.Values.Tap.KernelModule.Source.URL = f.source.url
	}
	t.Mode = t.Values.Tap.KernelModule.Mode
	chart, err := loadChart("")
	if err != nil {
		return t, err
	}
	result, err := renderer.Render(chart, renderer.Options{
		Values: doc.Values(), ReleaseName: f.release, Namespace: namespace, SchemaChecked: true,
	})
	if e := (*renderer.Error)(nil); errors.As(err, &e) {
		return t, no(err)
	}
	if err != nil {
		return t, err
	}
	for _, r := range result.Resources {
		object := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(r.YAML))
		if err == nil {
			err = json.Unmarshal(data, object)
		}
		if err != nil {
			return t, fmt.Errorf("cannot read what %s renders to: %w", r.Source, err)
		}
		t.Objects = append(t.Objects, object)
	}
	return t, nil
}
