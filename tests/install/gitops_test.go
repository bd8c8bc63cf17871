package install_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func TestWhatPfringRendersRollsOutAndIsStableWhenAppliedAgain(t *testing.T) {
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	pfring, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for mode, initName := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBed(t, 2)
			b.sayAll(kube.Loaded())
			selector, err := json.Marshal(map[string]string{setLabel: b.set})
			if err != nil {
				t.Fatal(err)
			}
			render := func() []object {
				cmd := exec.CommandContext(b.ctx, pfring, "render", filepath.Join(root, "examples", mode+".yaml"),
					"--namespace", b.namespace, "--set-json", "tap.kernelModule.agent.nodeSelector="+string(selector))
				text, err := cmd.Output()
				if err != nil {
					t.Fatalf("pfring render: %v", err)
				}
				return parse(t, string(text))
			}
			first := b.apply(render())
			b.waitForPods("pfring", "the rendered DaemonSet to be ready on both nodes", 2, readyAfter(initName))
			// A controller that heals applies the same again and again.
			for round := range 20 {
				for name, generation := range b.apply(render()) {
					if generation != first[name] {
						t.Fatalf("round %d: %s changes when the same is applied again: generation %d, then %d", round, name, first[name], generation)
					}
				}
			}
		})
	}
}

// apply applies objects on the server's side, as Argo CD and Flux do, and returns each one's generation.
func (b *bed) apply(objects []object) map[string]int64 {
	b.t.Helper()
	if len(objects) == 0 {
		b.t.Fatal("nothing was rendered")
	}
	generations := map[string]int64{}
	for _, obj := range objects {
		u := &unstructured.Unstructured{Object: obj}
		kind := u.GroupVersionKind()
		got, err := b.resource(u).Apply(b.ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "gitops"})
		if err != nil {
			b.t.Fatalf("applying %s %s: %v", kind.Kind, u.GetName(), err)
		}
		generations[kind.Kind+" "+u.GetName()] = got.GetGeneration()
	}
	return generations
}

// resource is where an object of its kind is read and written: the test's namespace, or the cluster.
func (b *bed) resource(u *unstructured.Unstructured) dynamic.ResourceInterface {
	b.t.Helper()
	r, err := b.findResource(u)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// findResource fails for a kind that the API server does not know.
func (b *bed) findResource(u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := u.GroupVersionKind()
	mapping, err := shared.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return shared.Dynamic.Resource(mapping.Resource), nil
	}
	return shared.Dynamic.Resource(mapping.Resource).Namespace(b.namespace), nil
}
