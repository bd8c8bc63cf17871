package difference

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
)

func object(t *testing.T, kind, name, text string) Object {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return Object{Kind: kind, Name: name, Tree: tree}
}

const daemonSet = "spec: {template: {spec: {containers: [{name: run, image: a}, {name: load, env: [{name: A, value: x}]}]}}, updateStrategy: {a: 1}}"

func TestObjectsAreComparedFieldByField(t *testing.T) {
	before := []Object{object(t, "DaemonSet", "pfring", daemonSet), object(t, "Role", "old", "rules: []"), object(t, "Secret", "same", "a: 1")}
	after := []Object{
		object(t, "Secret", "same", "a: 1"), object(t, "Module", "new", "spec: {}"),
		object(t, "DaemonSet", "pfring", strings.NewReplacer("image: a", "image: b", "value: x", "value: x}, {name: B, value: z").Replace(daemonSet)),
	}
	r := Report{Objects: Objects(before, after)}
	r.Conclude()
	const want = `~ DaemonSet pfring
    + spec.template.spec.containers[load].env[B]: {"name":"B","value":"z"}
    ~ spec.template.spec.containers[run].image: a → b
+ Module new
- Role old

3 objects would change; nodes were not compared
`
	if got := r.table(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !PodsReplaced(r.Objects) || PodsReplaced(Objects(before, before)) {
		t.Error("pods are replaced when their template changes")
	}
	if other := object(t, "DaemonSet", "pfring", strings.Replace(daemonSet, "{a: 1}", "{a: 2}", 1)); PodsReplaced(Objects(before[:1], []Object{other})) {
		t.Error("the update strategy replaces no pod")
	}
}

func TestNodesAreToldByWhatBecomesOfTheirModule(t *testing.T) {
	node := func(name string, s compatibility.Supported, version string) compatibility.NodeResult {
		return compatibility.NodeResult{Node: name, Supported: s, Version: version, Reason: "a-reason"}
	}
	yes, no, out := compatibility.Yes, compatibility.No, compatibility.Excluded
	before := compatibility.Report{Nodes: []compatibility.NodeResult{
		node("same", yes, "8.8"), node("loses", yes, "8.8"), node("gains", no, ""), node("other", yes, "8.8"), node("in", out, ""), node("out", no, ""), node("never", out, ""),
	}}
	after := compatibility.Report{Nodes: []compatibility.NodeResult{
		node("same", yes, "8.8"), node("loses", no, ""), node("gains", yes, "8.9"), node("other", yes, "8.9"), node("in", no, ""), node("out", out, ""), node("never", out, ""), node("new", yes, ""),
	}}
	changed, unchanged := Nodes(before, after, true)
	var got []string
	for _, n := range changed {
		got = append(got, n.Node+" "+n.Effect+" "+n.Before+" "+n.After)
	}
	want := "loses loses 8.8 a-reason; out pod-removed a-reason not selected; other other-module 8.8 8.9; gains gains a-reason 8.9; in pod-added not selected a-reason; same pod-replaced 8.8 8.8"
	if strings.Join(got, "; ") != want || unchanged != 1 {
		t.Errorf("%d unchanged, %s", unchanged, strings.Join(got, "; "))
	}
	r := Report{Nodes: changed}
	r.Conclude()
	if !r.Loses || !strings.HasPrefix(r.Verdict, "0 objects would change: 1 node loses its module") {
		t.Error(r.Verdict)
	}
	if _, unchanged := Nodes(before, before, false); unchanged != len(before.Nodes) {
		t.Errorf("%d are unchanged", unchanged)
	}
}
