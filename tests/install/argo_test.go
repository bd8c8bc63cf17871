package install_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
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

// argo asks Argo CD's own library about objects and what happened to them in the cluster.
func (b *bed) argo(wanted []object) map[string]verdict {
	b.t.Helper()
	program, err := toolbin.Argo()
	if err != nil {
		b.t.Fatal(err)
	}
	type question struct {
		Wanted, Live object
	}
	var questions []question
	for _, obj := range wanted {
		questions = append(questions, question{obj, b.live(obj)})
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
	var answers []verdict
	if err := json.Unmarshal(out, &answers); err != nil {
		b.t.Fatal(err)
	}
	verdicts := map[string]verdict{}
	for i, a := range answers {
		verdicts[wanted[i]["kind"].(string)] = a
	}
	return verdicts
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
		})
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
