// Package historic tests that the values files of Kubeshark's past work: each
// dialect of tap.kernelModule within a complete file of its time. The fixtures
// have the keys and values of those releases in words of this project.
package historic_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// dialect is a values file and what it has to come to.
type dialect struct {
	name string
	// rules are those of the problems in the file's own mode, all warnings.
	rules []string
	// source is the module repository in mode auto, image the one mapping in
	// mode kmm; both are empty where nothing is rendered.
	source, image string
}

func dialects() []dialect {
	const (
		own      = "https://pfring-pfring-supply.kubeshark.svc:8443"
		standard = "docker.io/kubeshark/pf-ring-module:${KERNEL_FULL_VERSION}"
	)
	return []dialect{
		{"52.0.0", []string{"historic-no-kernel-module"}, own, standard},
		{"2023-12-master", []string{"historic-capabilities", "image-unqualified"}, own, "kubeshark/pf-ring-module:${KERNEL_FULL_VERSION}"},
		{"52.3.88", []string{"historic-capabilities", "historic-image", "second-loader", "verify-impossible"}, "oci://docker.io/kubeshark/pf-ring-module:all", standard},
		{"52.3.88-off", []string{"historic-capabilities", "historic-image"}, "", ""},
		{"53.3.0", nil, own, standard},
	}
}

// load reads a fixture with the chart's defaults; mode "" is the file's own.
func load(t *testing.T, name, mode string) *valuesschema.Document {
	t.Helper()
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := valuesschema.LoadOptions{Files: []string{filepath.Join("testdata", name+".values.yaml")}, Defaults: defaults}
	if mode != "" {
		o.Set = []string{"tap.kernelModule.mode=" + mode}
	}
	doc, err := valuesschema.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestHistoricFilesAreValidWithTheRightWarnings(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			var text strings.Builder
			rules := map[string]bool{}
			for _, p := range load(t, d.name, "").Validate() {
				if p.Severity != valuesschema.Warning {
					t.Errorf("not a warning: %s", p)
				}
				rules[p.Rule] = true
				text.WriteString(p.String() + "\n")
			}
			for _, rule := range d.rules {
				if !rules[rule] {
					t.Errorf("no warning %s", rule)
				}
				delete(rules, rule)
			}
			for rule := range rules {
				t.Errorf("an unwanted warning %s", rule)
			}
			goldentest.File(t, filepath.Join("testdata", d.name+".warnings.txt"), []byte(text.String()))
		})
	}
}

func TestHistoricFilesRenderInBothModes(t *testing.T) {
	chart, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dialects() {
		for _, mode := range []string{"auto", "kmm"} {
			t.Run(d.name+"/"+mode, func(t *testing.T) {
				doc := load(t, d.name, mode)
				if errs, _ := valuesschema.Count(doc.Validate()); errs > 0 {
					t.Fatalf("invalid in mode %s: %v", mode, doc.Validate())
				}
				r, err := renderer.Render(chart, renderer.Options{Values: doc.Values(), Namespace: "kubeshark"})
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if err := r.WriteStream(&out); err != nil {
					t.Fatal(err)
				}
				goldentest.File(t, filepath.Join("testdata", d.name+"."+mode+".yaml"), out.Bytes())
				d.check(t, mode, r)
			})
		}
	}
}

// check looks at what the manifests come to, beyond being the same as before.
func (d dialect) check(t *testing.T, mode string, r *renderer.Result) {
	t.Helper()
	if d.source == "" {
		if len(r.Resources) > 0 {
			t.Errorf("%d resources, though it is switched off", len(r.Resources))
		}
		return
	}
	pod := find(t, r, "DaemonSet")
	for _, want := range map[string][]string{
		"auto": {"- load\n", "value: \"" + d.source + "\"\n", "- \"SYS_MODULE\"\n", "kubernetes.io/os"},
		"kmm":  {"- wait\n", "runAsNonRoot: true", "kubernetes.io/os"},
	}[mode] {
		if !strings.Contains(pod, want) {
			t.Errorf("the DaemonSet has no %q", want)
		}
	}
	if mode == "kmm" {
		d.checkModule(t, r)
	}
}

func (d dialect) checkModule(t *testing.T, r *renderer.Result) {
	t.Helper()
	var module struct {
		Spec struct {
			Selector     map[string]string
			ModuleLoader struct {
				Container struct {
					KernelMappings []struct{ Regexp, ContainerImage string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(find(t, r, "Module")), &module); err != nil {
		t.Fatal(err)
	}
	if got := module.Spec.Selector["kubernetes.io/os"]; got != "linux" {
		t.Errorf("the Module selects %v", module.Spec.Selector)
	}
	mappings := module.Spec.ModuleLoader.Container.KernelMappings
	if len(mappings) != 1 || mappings[0].Regexp != "^.+$" || mappings[0].ContainerImage != d.image {
		t.Errorf("the mappings are %v", mappings)
	}
}

func find(t *testing.T, r *renderer.Result, kind string) string {
	t.Helper()
	for _, res := range r.Resources {
		if res.Kind == kind {
			return res.YAML
		}
	}
	t.Fatalf("no %s was rendered", kind)
	return ""
}
