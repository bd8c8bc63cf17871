package charts_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func agentOf(t *testing.T, values string) object {
	t.Helper()
	ds := find(t, parse(t, render(t, values)), "DaemonSet")
	if ds == nil {
		t.Fatal("no DaemonSet")
	}
	return ds
}

// The agent goes where the workers of that generation of Kubeshark go.
func TestTolerationsAreTheWorkers(t *testing.T) {
	const both = "NoExecute: Exists, NoSchedule: Exists"
	for values, want := range map[string]string{
		"{}": "NoExecute: Exists",
		"tap: {nodeSelectorTerms: {workers: []}}":                                                                             "NoExecute: Exists",
		"tap: {tolerations: {workers: [{operator: Exists, effect: NoExecute}]}}":                                              "NoExecute: Exists",
		"tap: {tolerations: {workers: []}}":                                                                                   "",
		"tap: {tolerations: {workers: null}}":                                                                                 "NoExecute: Exists",
		"tap: {ignoreTainted: false}":                                                                                         both,
		"tap: {ignoreTainted: true}":                                                                                          "NoExecute: Exists",
		"tap: {noKernelModule: false}":                                                                                        both,
		"tap: {kernelModule: {image: docker.io/a/b:all}}":                                                                     both,
		"tap: {capabilities: {kernelModule: [SYS_MODULE]}}":                                                                   both,
		"tap: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}":                                        both,
		"tap: {ignoreTainted: false, tolerations: {workers: []}}":                                                             "",
		"tap: {ignoreTainted: false, kernelModule: {agent: {tolerations: []}}}":                                               "",
		"tap: {tolerations: {workers: []}, kernelModule: {agent: {tolerations: [{operator: Exists}]}}}":                       ": Exists",
		"tap: {tolerations: {workers: [{operator: Exists, effect: NoSchedule}]}, kernelModule: {agent: {tolerations: null}}}": "NoSchedule: Exists",
	} {
		for _, mode := range []string{"auto", "kmm"} {
			list, _ := at(agentOf(t, values+"\n"), "spec.template.spec.tolerations").([]any)
			if mode == "kmm" {
				list = withoutCordoned(moduleTolerations(t, values))
			}
			var got []string
			for _, o := range list {
				m := o.(map[string]any)
				effect, _ := m["effect"].(string)
				got = append(got, fmt.Sprintf("%s: %s", effect, m["operator"]))
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, %s: %v, want %q", mode, values, got, want)
			}
		}
	}
}

func moduleTolerations(t *testing.T, values string) []any {
	t.Helper()
	vals := parse(t, values)
	root := map[string]any{}
	if len(vals) > 0 {
		root = vals[0]
	}
	tap, _ := root["tap"].(map[string]any)
	if tap == nil {
		tap = map[string]any{}
		root["tap"] = tap
	}
	km, _ := tap["kernelModule"].(map[string]any)
	if km == nil {
		km = map[string]any{}
		tap["kernelModule"] = km
	}
	km["mode"], km["kmm"] = "kmm", map[string]any{"selector": map[string]any{"a": "b"}}
	files, err := renderValues(t, defaultRelease, root)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := at(find(t, parse(t, manifests(files)), "Module"), "spec.tolerations").([]any)
	return list
}

// The last toleration of a Module is for cordoned nodes.
func withoutCordoned(list []any) []any {
	if len(list) == 0 || at(list[len(list)-1], "key") != "node.kubernetes.io/unschedulable" {
		return append(list, map[string]any{"operator": "the toleration of cordoned nodes is missing"})
	}
	return list[:len(list)-1]
}

func TestNodesThatCannotRunTheAgentAreLeftOut(t *testing.T) {
	const path = "spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	keys := func(values string) []string {
		list, _ := at(agentOf(t, values), path).([]any)
		var out []string
		for _, term := range list {
			var of []string
			expressions, _ := at(term, "matchExpressions").([]any)
			for _, e := range expressions {
				of = append(of, at(e, "key").(string))
			}
			out = append(out, strings.Join(of, " "))
		}
		return out
	}
	const possible = "kubernetes.io/arch eks.amazonaws.com/compute-type type liqo.io/type"
	for values, want := range map[string][]string{
		"{}": {possible},
		"tap: {nodeSelectorTerms: {workers: []}}": {possible},
		"tap: {nodeSelectorTerms: {workers: [{matchExpressions: [{key: a, operator: Exists}]}, {matchFields: [{key: metadata.name, operator: In, values: [n]}]}]}}": {"a " + possible, possible},
		// A term that asks for nothing matches no node, and must not come to match some.
		"tap: {nodeSelectorTerms: {workers: [{}]}}":                       {""},
		"tap: {kernelModule: {agent: {affinity: {}}}}":                    nil,
		"tap: {kernelModule: {agent: {affinity: {podAntiAffinity: {}}}}}": nil,
		"tap: {kernelModule: {agent: {affinity: null}}}":                  {possible},
	} {
		if got := keys(values); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", values, got, want)
		}
	}
}

func TestImagesAndTheirPullPolicy(t *testing.T) {
	for values, want := range map[string]string{
		"{}": "docker.io/kubeshark/pfring-agent:0.1.0 IfNotPresent",
		"tap: {docker: {imagePullPolicy: Never}}":                                                        "docker.io/kubeshark/pfring-agent:0.1.0 Never",
		"tap: {docker: {imagePullPolicy: Always}, kernelModule: {agent: {image: {tag: edge}}}}":          "docker.io/kubeshark/pfring-agent:edge Always",
		"tap: {kernelModule: {agent: {image: {tag: v1.2.3-rc1}}}}":                                       "docker.io/kubeshark/pfring-agent:v1.2.3-rc1 IfNotPresent",
		"tap: {kernelModule: {agent: {image: {tag: \"1.2\"}}}}":                                          "docker.io/kubeshark/pfring-agent:1.2 Always",
		"tap: {kernelModule: {agent: {image: {tag: edge, digest: \"sha256:00\"}}}}":                      "docker.io/kubeshark/pfring-agent@sha256:00 IfNotPresent",
		"tap: {kernelModule: {agent: {image: {pullPolicy: Always}}}}":                                    "docker.io/kubeshark/pfring-agent:0.1.0 Always",
		"global: {imageRegistry: r.example.com}":                                                         "r.example.com/kubeshark/pfring-agent:0.1.0 IfNotPresent",
		"global: {imageRegistry: r.example.com:5000/mirror/}":                                            "r.example.com:5000/mirror/kubeshark/pfring-agent:0.1.0 IfNotPresent",
		"{global: {imageRegistry: r.example.com}, tap: {docker: {registry: kubeshark}}}":                 "r.example.com/kubeshark/pfring-agent:0.1.0 IfNotPresent",
		"{global: {imageRegistry: r.example.com}, tap: {docker: {registry: \"localhost:5000\"}}}":        "r.example.com/pfring-agent:0.1.0 IfNotPresent",
		"{global: {imageRegistry: r.example.com}, tap: {kernelModule: {agent: {image: {registry: x}}}}}": "x/pfring-agent:0.1.0 IfNotPresent",
	} {
		c := at(agentOf(t, values), "spec.template.spec.containers.0")
		if got := fmt.Sprint(at(c, "image"), " ", at(c, "imagePullPolicy")); got != want {
			t.Errorf("%s: %s, want %s", values, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for values, want := range map[string]string{
		"{}": "pfring-agent", "tap: {kernelModule: {nameOverride: ring}}": "pfring-ring", "tap: {kernelModule: {nameOverride: ring, fullnameOverride: all}}": "all",
	} {
		ds := agentOf(t, values)
		if at(ds, "metadata.name") != want || at(ds, "spec.template.spec.serviceAccountName") != want || at(ds, "metadata.labels") == nil {
			t.Errorf("%s: %v", values, at(ds, "metadata"))
		}
		if labels := ds["spec"].(map[string]any)["selector"].(map[string]any)["matchLabels"].(map[string]any); labels["app.kubernetes.io/name"] != "kubeshark-pfring" {
			t.Errorf("%s: pfring would not find %v", values, labels)
		}
	}
}

// Flux puts values into ${…} of what a Kustomization applies, unless the object says otherwise.
func TestWhatHoldsVariablesIsMarkedForFlux(t *testing.T) {
	for _, input := range valuesFiles(t) {
		for _, doc := range strings.Split(render(t, readFile(t, input)), "---\n") {
			if strings.Contains(doc, "${") && !strings.Contains(doc, `kustomize.toolkit.fluxcd.io/substitute: "disabled"`) {
				t.Errorf("%s: Flux would replace variables in\n%.300s", input, doc)
			}
		}
	}
}
