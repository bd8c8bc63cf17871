package valuesschema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// renders validates values, and renders those in which no error is found: no
// template refuses them, no value breaks out of its place, and the Go types hold
// them. It returns the manifests' objects by kind, nil for invalid values.
func renders(t rapid.TB, c *renderer.Chart, defaults []byte, values map[string]any) map[string]map[string]any {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return rendersText(t, c, defaults, text)
}

func rendersText(t rapid.TB, c *renderer.Chart, defaults, text []byte) map[string]map[string]any {
	t.Helper()
	doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: bytes.NewReader(text), Defaults: defaults})
	if err != nil {
		t.Fatal(err)
	}
	if errs, _ := valuesschema.Count(doc.Validate()); errs > 0 {
		return nil
	}
	if _, err := doc.Typed(); err != nil {
		t.Fatalf("as Go types: %v\nvalues:\n%s", err, text)
	}
	r, err := renderer.Render(c, renderer.Options{Values: doc.Values(), ReleaseName: "kubeshark-pfring", Namespace: "kubeshark"})
	if err != nil {
		t.Fatalf("%v\nvalues:\n%s", err, text)
	}
	kinds := map[string]map[string]any{}
	for _, res := range r.Resources {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(res.YAML), &object); err != nil {
			t.Fatalf("%s: %v\nvalues:\n%s\nmanifest:\n%s", res.Source, err, text, res.YAML)
		}
		kinds[res.Kind] = object
	}
	return kinds
}

func builtIn(t testing.TB) *renderer.Chart {
	t.Helper()
	c, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever validates, renders.
func TestValidValuesRender(t *testing.T) {
	helmChart(t)
	c, root, defaults := builtIn(t), schema(t), chartDefaults(t)
	check(t, func(t *rapid.T) {
		drawn := generator{root: root}.object(t, root, 0)
		if percent(t, 60, "mutate") {
			mutate(t, drawn)
		}
		renders(t, c, defaults, drawn)
	})
}

// So that the property above is about every kind of object: these values make each,
// with random values around them.
func TestValidValuesRenderEachKind(t *testing.T) {
	helmChart(t)
	c, root, defaults := builtIn(t), schema(t), chartDefaults(t)
	for kind, text := range map[string]string{
		"DaemonSet":             "mode: auto",
		"ServiceAccount":        "serviceAccount: {create: true}",
		"Module":                "{mode: kmm, kmm: {selector: {a: b}}, kernelMappings: [{regexp: ^6, containerImage: \"r.example/a:1\"}]}",
		"Deployment":            "supply: {enabled: true, store: {type: configMaps, url: \"\", persistentVolumeClaim: {existingClaim: \"\"}}}",
		"PersistentVolumeClaim": "supply: {enabled: true, store: {type: persistentVolumeClaim, url: \"\", persistentVolumeClaim: {existingClaim: \"\"}}}",
		"Role":                  "openshift: {scc: {create: true}}",
		"NetworkPolicy":         "networkPolicy: {enabled: true}",
		"PodMonitor":            "metrics: {enabled: true, podMonitor: {enabled: true}}",
		"PrometheusRule":        "metrics: {enabled: true, prometheusRule: {enabled: true}}",
		"ConfigMap":             "metrics: {enabled: true, dashboard: {enabled: true}}",
	} {
		t.Run(kind, func(t *testing.T) {
			var block map[string]any
			if err := yaml.Unmarshal([]byte(text), &block); err != nil {
				t.Fatal(err)
			}
			if plain := renders(t, c, defaults, map[string]any{"tap": map[string]any{"kernelModule": block}}); plain[kind] == nil {
				t.Fatalf("no %s is rendered from %s", kind, text)
			}
			rapid.Check(t, func(t *rapid.T) {
				drawn := generator{root: root}.object(t, root, 0)
				tap, _ := drawn["tap"].(map[string]any)
				around, _ := tap["kernelModule"].(map[string]any)
				if around == nil {
					t.Skip("no block was drawn")
				}
				for key, v := range block {
					around[key] = v
				}
				around["enabled"], tap["noKernelModule"] = true, false
				if kinds := renders(t, c, defaults, drawn); kinds != nil && kinds[kind] == nil {
					t.Fatalf("no %s from valid values: %v", kind, drawn)
				}
			})
		})
	}
}

// A number that validates is rendered with the same value: Helm reads numbers as
// floats, Kubernetes takes integers.
func TestNumbersKeepTheirValue(t *testing.T) {
	if testing.Short() {
		t.Skip("renders 150 values: run without -short")
	}
	helmChart(t)
	c, defaults := builtIn(t), chartDefaults(t)
	numbers := []string{
		"0", "-1", "1000000", "4294967296", "9007199254740991", "9007199254740993", "9223372036854775808", "1e20", "-1e20", "0.5", "1.0", "1_000",
	}
	rendered := 0
	for _, place := range []string{
		"agent: {tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: %s}]}",
		"parameters: {min_num_slots: %s}", "parameters: {other: %s}", "source: {minSerial: %s}", "metrics: {port: %s}",
		"agent: {podLabels: {a: %s}}", "agent: {podAnnotations: {a: %s}}", "agent: {nodeSelector: {a: %s}}", "{mode: kmm, kmm: {selector: {a: %s}}}",
		"agent: {resources: {requests: {cpu: %s}, limits: {cpu: 1e30}}}", "agent: {resources: {limits: {memory: %s, hugepages-2Mi: 0}, requests: {memory: 0}}}",
		"source: {url: file:///m, volume: {configMap: {name: a, defaultMode: %s}}}", "source: {url: file:///m, volume: {iscsi: {targetPortal: a, iqn: b, lun: %s}}}",
	} {
		for _, number := range numbers {
			text := "tap:\n  kernelModule:\n    " + fmt.Sprintf(place, number)
			var meant map[string]any
			if err := yaml.Unmarshal([]byte("number: "+number), &meant); err != nil {
				t.Fatal(err)
			}
			kinds := rendersText(t, c, defaults, []byte(text))
			if kinds == nil {
				continue
			}
			rendered++
			all, err := json.Marshal(kinds)
			if err != nil {
				t.Fatal(err)
			}
			if !hasNumber(string(all), meant["number"]) {
				t.Errorf("%s: no manifest has the number %v", text, meant["number"])
			}
			if n, err := strconv.ParseInt(number, 10, 64); err == nil && (n > 1<<53 || n < -(1<<53)) && !strings.Contains(string(all), number) {
				t.Errorf("%s: the number has become another", text)
			}
		}
	}
	if rendered < 40 {
		t.Errorf("only %d were rendered", rendered)
	}
}

// hasNumber looks for a number, or its text, in JSON.
func hasNumber(text string, n any) bool {
	f, ok := n.(float64)
	if !ok {
		return strings.Contains(text, fmt.Sprint(n))
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(`"{}[],:= `, r) }) {
		if got, err := strconv.ParseFloat(word, 64); err == nil && got == f {
			return true
		}
	}
	return false
}
