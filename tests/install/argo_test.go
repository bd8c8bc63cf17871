package install_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// verdict is what Argo CD says of an object.
type verdict struct {
	Health, Message string
	Differs, Hook   bool
}

// question is about one object; Live is nil where the cluster is not asked.
type question struct {
	Wanted, Live object
}

// argo asks Argo CD's own library about objects and what happened to them in the cluster, by their kind.
func (b *bed) argo(wanted []object) map[string]verdict {
	b.t.Helper()
	questions := make([]question, len(wanted))
	for i, obj := range wanted {
		questions[i] = question{obj, b.live(obj)}
	}
	verdicts := map[string]verdict{}
	for i, a := range b.askArgo(questions) {
		verdicts[wanted[i]["kind"].(string)] = a
	}
	return verdicts
}

func (b *bed) askArgo(questions []question) (answers []verdict) {
	b.t.Helper()
	program, err := toolbin.Argo()
	if err != nil {
		b.t.Fatal(err)
	}
	in, err := json.Marshal(questions)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.ctx, program)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("argo: %v", err)
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		b.t.Fatal(err)
	}
	return answers
}

// predicted is what the server would keep if Argo CD applied an object: what its server-side diff compares with the live one.
func (b *bed) predicted(obj object) object {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: obj}
	got, err := b.resource(u).Apply(b.ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "argocd-controller", Force: true, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		b.t.Fatal(err)
	}
	return got.Object
}

// live is an object as the cluster has it.
func (b *bed) live(obj object) object {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: obj}
	got, err := b.resource(u).Get(b.ctx, u.GetName(), metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return got.Object
}

func TestArgoCDSeesWhenNodesHaveLoadedAndNoDifference(t *testing.T) {
	for mode, initName := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, 2)
			b.sayAll(kube.Held())
			wanted := newHelm(b).render(b.values(mode, nil))
			b.apply(wanted)
			b.waitForPods("pfring", "the pods to wait", 2, func(p corev1.Pod) bool { return !ready(p) })
			if v := b.argo(wanted)["DaemonSet"]; v.Health != "Progressing" {
				t.Errorf("while nodes load: %+v", v)
			}
			b.sayAll(kube.Loaded())
			b.waitForPods("pfring", "the pods to be ready", 2, readyAfter(initName))
			b.waitFor("Argo CD to see the DaemonSet healthy", func() bool { return b.argo(wanted)["DaemonSet"].Health == "Healthy" })
			for kind, v := range b.argo(wanted) {
				if v.Differs {
					t.Errorf("%s: Argo CD sees a difference to what was applied", kind)
				}
			}
			for _, obj := range wanted {
				live, predicted := b.live(obj), b.predicted(obj)
				for _, o := range []object{live, predicted} {
					// Its status may change between the two, and so its version. Argo CD does not compare who owns a field.
					delete(o, "status")
					delete(o["metadata"].(object), "managedFields")
					delete(o["metadata"].(object), "resourceVersion")
				}
				if !reflect.DeepEqual(live, predicted) {
					t.Errorf("%s: a server-side diff shows\n%v\nagainst\n%v", obj["kind"], predicted, live)
				}
			}
		})
	}
}

// Of all objects Argo CD takes the pod of helm test alone for a hook. No object asks for a wave, so all are applied in one, in
// the order of their kinds.
func TestArgoCDTakesTheTestAloneForAHook(t *testing.T) {
	b := newBed(t, 0)
	for mode, kernelModule := range map[string]map[string]any{"auto": {"source": map[string]any{"url": ""}}, "kmm": nil} {
		h := newHelm(b)
		var questions []question
		for _, obj := range append(h.render(b.values(mode, kernelModule)), h.hooks(b.values(mode, kernelModule))...) {
			questions = append(questions, question{Wanted: obj})
		}
		hooks := 0
		for i, v := range b.askArgo(questions) {
			obj := &unstructured.Unstructured{Object: questions[i].Wanted}
			if v.Hook {
				hooks++
			}
			if v.Hook != (obj.GetKind() == "Pod") || obj.GetAnnotations()["argocd.argoproj.io/sync-wave"] != "" {
				t.Errorf("%s: %s %s: %+v", mode, obj.GetKind(), obj.GetName(), v)
			}
		}
		if hooks != 1 {
			t.Errorf("%s: %d hooks, want the pod of helm test", mode, hooks)
		}
	}
}

// A controller that heals itself applies the same again and again.
func TestTwentyRoundsOfAController(t *testing.T) {
	for name, kernelModule := range map[string]map[string]any{
		"auto":   {"source": map[string]any{"url": "https://modules.example.com", "verify": "none"}},
		"supply": {"source": map[string]any{"url": ""}},
		"kmm":    {"mode": "kmm"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1)
			b.sayAll(kube.Loaded())
			mode, _ := kernelModule["mode"].(string)
			if mode == "" {
				mode = "auto"
			}
			wanted := newHelm(b).render(b.values(mode, kernelModule))
			b.apply(wanted)
			first := b.versions(wanted)
			for round := range 20 {
				b.apply(wanted)
				for object, version := range b.versions(wanted) {
					if version != first[object] {
						t.Fatalf("round %d: %s has changed", round, object)
					}
				}
			}
		})
	}
}

// versions tell whether what was applied has changed: the generation, or of an object without one the resource version.
func (b *bed) versions(wanted []object) map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, obj := range wanted {
		live := &unstructured.Unstructured{Object: b.live(obj)}
		version := live.GetResourceVersion()
		if live.GetGeneration() > 0 {
			data, err := json.Marshal([]any{live.GetGeneration(), live.Object["metadata"].(object)["labels"], live.Object["metadata"].(object)["annotations"], live.Object["spec"]})
			if err != nil {
				b.t.Fatal(err)
			}
			version = string(data)
		}
		out[live.GetKind()+" "+live.GetName()] = version
	}
	return out
}
