package status_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/inject"
	"github.com/kubeshark/kubeshark-pfring/internal/injectlive"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

var daemonSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}

// The API server knows each field that inject writes, and starts the worker
// after the wait has ended.
func TestInjectedWorkersAreTakenByTheAPIServer(t *testing.T) {
	files, err := filepath.Glob("../../internal/inject/testdata/golden/5*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	b := newBed(t, 1, "")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(text), "\n---\n") {
			if !strings.Contains(doc, "kind: DaemonSet") {
				continue
			}
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(doc), &object.Object); err != nil {
				t.Fatal(err)
			}
			object.SetNamespace(b.namespace)
			_, err := shared.Dynamic.Resource(daemonSets).Namespace(b.namespace).Create(b.ctx, object, metav1.CreateOptions{
				DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
			})
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
		}
	}
	// Kubeshark's own chart has always written pull secrets into containers, which no API takes; the fixtures have none.
	b.startsAfterTheWait(filepath.Join("..", "..", "internal", "inject", "testdata", "golden", "53.3.default.yaml"))
}

func (b *bed) startsAfterTheWait(file string) {
	b.t.Helper()
	b.say(func(int) kube.Result { return kube.Held() })
	object := b.worker(file, map[string]any{setLabel: b.namespace})
	if err := unstructured.SetNestedField(object.Object, "default", "spec", "template", "spec", "serviceAccountName"); err != nil {
		b.t.Fatal(err)
	}
	if _, err := shared.Dynamic.Resource(daemonSets).Namespace(b.namespace).Create(b.ctx, object, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
	b.waitForWorker("the worker to wait", corev1.PodPending)
	b.say(func(int) kube.Result { return kube.Loaded() })
	b.waitForWorker("the worker to run", corev1.PodRunning)
}

func (b *bed) waitForWorker(what string, phase corev1.PodPhase) {
	b.t.Helper()
	err := kube.Poll(b.ctx, what, func(ctx context.Context) (bool, error) {
		pods, err := shared.Client.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubeshark.com/app=worker"})
		if err != nil || len(pods.Items) != 1 {
			return false, err
		}
		names := []string{}
		for _, c := range pods.Items[0].Spec.InitContainers {
			names = append(names, c.Name)
		}
		if strings.Join(names, " ") != "mount-bpf pfring-wait" {
			b.t.Fatalf("init containers %q: the wait is not the last one", names)
		}
		return pods.Items[0].Status.StartTime != nil && pods.Items[0].Status.Phase == phase, nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// worker is the worker DaemonSet of a chart of Kubeshark's, rendered in file, for the
// nodes of selector.
func (b *bed) worker(file string, selector map[string]any) *unstructured.Unstructured {
	b.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	_, doc, _ := strings.Cut(string(text), "09-worker-daemon-set.yaml\n")
	doc, _, _ = strings.Cut(doc, "\n---\n")
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(doc), &object.Object); err != nil {
		b.t.Fatal(err)
	}
	object.SetNamespace(b.namespace)
	if err := unstructured.SetNestedMap(object.Object, selector, "spec", "template", "spec", "nodeSelector"); err != nil {
		b.t.Fatal(err)
	}
	return object
}

// What a cluster runs is changed beside its owner, and changed back.
func TestInjectLive(t *testing.T) {
	b := newBed(t, 1, "")
	object := b.worker("../../internal/inject/testdata/53.3.yaml", map[string]any{"none": "here"})
	resource := shared.Dynamic.Resource(daemonSets).Namespace(b.namespace)
	before, err := resource.Create(b.ctx, object, metav1.CreateOptions{FieldManager: "kubeshark"})
	if err != nil {
		t.Fatal(err)
	}
	names := func(key string) (list []string) {
		live, err := resource.Get(b.ctx, before.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		items, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", key)
		for _, item := range items {
			list = append(list, item.(map[string]any)["name"].(string))
		}
		return list
	}
	o := injectlive.Options{Inject: inject.Default(), Namespace: b.namespace, DryRun: true}
	state := func(do func(context.Context, dynamic.Interface, injectlive.Options) ([]injectlive.Change, error), o injectlive.Options, want string) {
		t.Helper()
		changes, err := do(b.ctx, shared.Dynamic, o)
		if err != nil || len(changes) != 1 || changes[0].State != want || changes[0].Object != "daemonset/kubeshark-worker-daemon-set" {
			t.Errorf("%v, %+v, want %s", err, changes, want)
		}
	}
	state(injectlive.Apply, o, injectlive.Added)
	if got := names("initContainers"); len(got) != 1 {
		t.Errorf("a dry run has added %q", got)
	}
	o.DryRun = false
	state(injectlive.Apply, o, injectlive.Added)
	state(injectlive.Apply, o, injectlive.Unchanged)
	// The same order as in manifests.
	if got := strings.Join(names("initContainers"), " "); got != "mount-bpf pfring-wait" {
		t.Errorf("init containers: %s", got)
	}
	if !slices.Contains(names("volumes"), "pfring-state") {
		t.Error("no volume")
	}
	state(injectlive.Remove, o, injectlive.Removed)
	after, err := resource.Get(b.ctx, before.GetName(), metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(after.Object["spec"], before.Object["spec"]) {
		t.Errorf("removed, it is not what it was: %v\n%v\n%v", err, before.Object["spec"], after.Object["spec"])
	}
	state(injectlive.Remove, o, injectlive.Unchanged)
	o.Namespace = "default"
	if _, err := injectlive.Apply(b.ctx, shared.Dynamic, o); !errors.Is(err, injectlive.ErrNotFound) {
		t.Errorf("a namespace without workers: %v", err)
	}
}

// The wait survives upgrades by those who made the object, in each way in which they
// write, and goes only where nobody else has it too.
func TestInjectLiveBesideOtherOwners(t *testing.T) {
	b := newBed(t, 1, "")
	resource := shared.Dynamic.Resource(daemonSets).Namespace(b.namespace)
	object := b.worker("../../internal/inject/testdata/53.3.yaml", map[string]any{"none": "here"})
	name := object.GetName()
	apply := func(manager string, o *unstructured.Unstructured) {
		t.Helper()
		if _, err := resource.Apply(b.ctx, name, o, metav1.ApplyOptions{FieldManager: manager, Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	inits := func() string {
		t.Helper()
		live, err := resource.Get(b.ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		list, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "initContainers")
		for _, c := range list {
			names = append(names, c.(map[string]any)["name"].(string))
		}
		return strings.Join(names, " ")
	}
	live := func(do func(context.Context, dynamic.Interface, injectlive.Options) ([]injectlive.Change, error), want string) injectlive.Change {
		t.Helper()
		changes, err := do(b.ctx, shared.Dynamic, injectlive.Options{Inject: inject.Default(), Namespace: b.namespace})
		if err != nil || len(changes) != 1 || changes[0].State != want {
			t.Fatalf("%v, %+v, want %s", err, changes, want)
		}
		return changes[0]
	}

	// Helm 4 writes by server-side apply.
	apply("helm", object)
	live(injectlive.Apply, injectlive.Added)
	upgraded := object.DeepCopy()
	upgraded.SetAnnotations(map[string]string{"release": "2"})
	apply("helm", upgraded)
	if got := inits(); got != "mount-bpf pfring-wait" {
		t.Errorf("after an upgrade by server-side apply: %s", got)
	}
	// Helm 3 and kubectl send a strategic merge patch of what differs between their own manifests.
	patch := `{"spec":{"template":{"spec":{"$setElementOrder/initContainers":[{"name":"mount-bpf"}],"initContainers":[{"name":"mount-bpf","image":"docker.io/kubeshark/worker:v53.3.1"}]}}}}`
	if _, err := resource.Patch(b.ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "helm3"}); err != nil {
		t.Fatal(err)
	}
	// A patch may put the wait before or behind; both begin before the worker does.
	if got := strings.Fields(inits()); len(got) != 2 || !slices.Contains(got, "pfring-wait") {
		t.Errorf("after an upgrade by a strategic merge patch: %s", got)
	}
	live(injectlive.Apply, injectlive.Unchanged)
	live(injectlive.Remove, injectlive.Removed)
	if got := inits(); got != "mount-bpf" {
		t.Errorf("removed: %s", got)
	}

	// Whoever renders through pfring inject owns the wait as well.
	live(injectlive.Apply, injectlive.Added)
	both, err := resource.Get(b.ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	both.SetManagedFields(nil)
	both.SetResourceVersion("")
	apply("helm", both)
	if c := live(injectlive.Remove, injectlive.Unchanged); len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "another owner") {
		t.Errorf("%+v", c)
	}
	if got := inits(); !strings.Contains(got, "pfring-wait") {
		t.Errorf("the other owner's wait is gone: %s", got)
	}
}

// Any workload is made to wait in the cluster, too.
func TestInjectLiveOfAWorkload(t *testing.T) {
	b := newBed(t, 1, "")
	deployment := &unstructured.Unstructured{}
	err := yaml.Unmarshal([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: zeek}
spec:
  replicas: 0
  selector: {matchLabels: {app: zeek}}
  template:
    metadata: {labels: {app: zeek}}
    spec:
      hostNetwork: true
      initContainers: [{name: first, image: "a:1"}]
      containers:
        - {name: side, image: "a:1"}
        - {name: zeek, image: "zeek:8"}
`), &deployment.Object)
	if err != nil {
		t.Fatal(err)
	}
	resource := shared.Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(b.namespace)
	before, err := resource.Create(b.ctx, deployment, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := injectlive.Options{Inject: inject.Default(), Namespace: b.namespace}
	o.Inject.Workload, o.Inject.Container, o.Inject.WaitWith = "deployment/zeek", "zeek", inject.WithWorker
	changes, err := injectlive.Apply(b.ctx, shared.Dynamic, o)
	if err != nil || len(changes) != 1 || changes[0].State != injectlive.Added || changes[0].Object != "deployment/zeek" {
		t.Fatalf("%v %+v", err, changes)
	}
	if text := strings.Join(changes[0].Warnings, "\n"); !strings.Contains(text, "NET_ADMIN to container zeek") {
		t.Errorf("the capabilities are the owner's: %s", text)
	}
	live, err := resource.Get(b.ctx, "zeek", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "initContainers")
	if len(list) != 2 || list[1].(map[string]any)["name"] != "pfring-wait" || list[1].(map[string]any)["image"] != "zeek:8" {
		t.Errorf("%v", list)
	}
	if changes, err = injectlive.Remove(b.ctx, shared.Dynamic, o); err != nil || changes[0].State != injectlive.Removed {
		t.Errorf("%v %+v", err, changes)
	}
	after, err := resource.Get(b.ctx, "zeek", metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(after.Object["spec"], before.Object["spec"]) {
		t.Errorf("removed, it is not what it was: %v\n%v", err, after.Object["spec"])
	}
	o.Inject.Workload = "deployment/nosuch"
	if _, err := injectlive.Apply(b.ctx, shared.Dynamic, o); err == nil || !strings.Contains(err.Error(), "deployment/nosuch not found") {
		t.Errorf("%v", err)
	}
}
