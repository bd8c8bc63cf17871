package status_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// kmmKinds are the resources of KMM that status reads, with their scopes.
var kmmKinds = map[string][2]string{
	"modules": {"Module", "Namespaced"}, "nodemodulesconfigs": {"NodeModulesConfig", "Cluster"},
	"moduleimagesconfigs": {"ModuleImagesConfig", "Namespaced"}, "modulebuildsignconfigs": {"ModuleBuildSignConfig", "Namespaced"},
}

func kmmResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kmm.sigs.x-k8s.io", Version: "v1beta1", Resource: plural}
}

// installKMM defines the resources, which take anything: there is no operator
// here, the test writes what it would.
func installKMM(b *bed) {
	b.t.Helper()
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for plural, kind := range kmmKinds {
		b.createIn(crds, "", fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.kmm.sigs.x-k8s.io}
spec:
  group: kmm.sigs.x-k8s.io
  names: {kind: %[2]s, listKind: %[2]sList, plural: %[1]s, singular: %[3]s}
  scope: %[4]s
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`, plural, kind[0], strings.ToLower(kind[0]), kind[1]))
	}
	for plural := range kmmKinds {
		err := kube.Poll(b.ctx, "the API of "+plural, func(ctx context.Context) (bool, error) {
			_, err := shared.Dynamic.Resource(kmmResource(plural)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bed) createIn(resource schema.GroupVersionResource, namespace, text string) {
	b.t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		b.t.Fatal(err)
	}
	if _, err := shared.Dynamic.Resource(resource).Namespace(namespace).Create(b.ctx, object, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) update(resource schema.GroupVersionResource, namespace, name string, change func(map[string]any)) {
	b.t.Helper()
	r := shared.Dynamic.Resource(resource).Namespace(namespace)
	object, err := r.Get(b.ctx, name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	change(object.Object)
	if _, err := r.Update(b.ctx, object, metav1.UpdateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// One after the other, as an administrator meets them.
func TestInKMMModeTheStageThatIsNotPassedIsSaid(t *testing.T) {
	b := newBed(t, 1, "")
	b.say(func(int) kube.Result { return kube.Fallback(outcome.WaitTimeout) })
	set := []string{"tap.kernelModule.mode=kmm", `tap.kernelModule.kmm.selector.pfring\.test/set=` + b.namespace, "tap.kernelModule.kmm.moduleName=pf"}
	b.install(set...)
	node := b.nodes[0]
	stage := func(name, module, words string) {
		t.Helper()
		r := b.status(1, "--wait")
		if r.Mode != "kmm" || len(r.Warnings) > 0 || !strings.Contains(r.Module, module) || !strings.Contains(r.Nodes[0].Message, words) || r.Nodes[0].Reason != outcome.WaitTimeout {
			t.Errorf("%s: %+v", name, r)
		}
	}
	stage("no KMM", "KMM is not installed", "")
	installKMM(b)
	stage("no Module", "Module of this release is missing", "")
	b.install(set...)
	stage("a controller that does nothing", "", "KMM's controller has not processed the node yet")

	kernel := b.status(1).Nodes[0].Kernel
	b.createIn(kmmResource("moduleimagesconfigs"), b.namespace, fmt.Sprintf(`
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: ModuleImagesConfig
metadata: {name: pf, namespace: %s}
spec: {images: [{image: "reg/pf:1", kernelVersion: %s}]}
status: {imagesStates: [{image: "reg/pf:1", status: DoesNotExist}]}
`, b.namespace, kernel))
	stage("no image", "", "the image reg/pf:1 does not exist in its registry")
	b.update(kmmResource("moduleimagesconfigs"), b.namespace, "pf", func(o map[string]any) {
		o["status"] = map[string]any{"imagesStates": []any{map[string]any{"image": "reg/pf:1", "status": "Exists"}}}
	})
	entry := map[string]any{"name": "pf", "namespace": b.namespace, "config": map[string]any{"kernelVersion": kernel, "containerImage": "reg/pf:1"}}
	b.createIn(kmmResource("nodemodulesconfigs"), "", "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: NodeModulesConfig\nmetadata: {name: "+node+"}\nspec: {}\n")
	b.update(kmmResource("nodemodulesconfigs"), "", node, func(o map[string]any) {
		o["spec"] = map[string]any{"modules": []any{entry}}
	})
	stage("nobody loads", "", "there is no worker pod on the node: KMM's controller is not installed")

	// The load comes after all, too late for the agent's wait.
	n, err := shared.Client.CoreV1().Nodes().Get(b.ctx, node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.update(kmmResource("nodemodulesconfigs"), "", node, func(o map[string]any) {
		done := map[string]any{"bootId": n.Status.NodeInfo.BootID, "version": "8.9.0"}
		for k, v := range entry {
			done[k] = v
		}
		o["status"] = map[string]any{"modules": []any{done}}
	})
	r := b.status(0)
	if got := r.Nodes[0]; got.State != rollout.OK || got.Version != "8.9.0" || got.Verified != outcome.VerifiedKMM {
		t.Errorf("%+v", got)
	}
}
