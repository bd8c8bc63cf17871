package install_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// prometheusGroup is the API group of PodMonitor, whose definition is the Prometheus operator's and is not installed here.
const prometheusGroup = "monitoring.coreos.com"

func TestTheAPIServerTakesEveryGoldenStrictly(t *testing.T) {
	b := newBed(t, 0)
	goldens := goldens(t)
	if len(goldens) == 0 {
		t.Fatal("the chart has no golden file")
	}
	for name, objects := range goldens {
		for _, obj := range objects {
			if strings.HasPrefix(obj["apiVersion"].(string), prometheusGroup+"/") {
				continue
			}
			b.makeWhatPodNames(obj)
			if err := b.tryStrictly(obj); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Errorf("%s: %s: %v", name, obj["kind"], err)
			}
		}
	}
}

func TestModulesFitKMMsOwnDefinition(t *testing.T) {
	if _, err := kmmCRD(); errors.Is(err, fs.ErrNotExist) {
		// Never a failure, not even where nothing may be skipped: the file is KMM's and not this repository's.
		t.Skip("KMM's CRDs are not at hand: put its modules.yaml into shared/crds/kmm beside this repository")
	}
	b := newBed(t, 0)
	tried := 0
	for name, objects := range goldens(t) {
		for _, obj := range objects {
			if obj["kind"] != "Module" {
				continue
			}
			tried++
			if err := b.tryStrictly(obj); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for what, spoil := range spoils {
				bad := (&unstructured.Unstructured{Object: obj}).DeepCopy().Object
				spoil(bad["spec"].(object))
				if err := b.tryStrictly(bad); err == nil {
					t.Errorf("%s: a Module with %s is taken, so this test sees nothing", name, what)
				}
			}
		}
	}
	if tried == 0 {
		t.Error("no golden file has a Module")
	}
}

// spoils are changes to a Module's spec that KMM's definition refuses.
var spoils = map[string]func(spec object){
	"an unknown field":   func(spec object) { spec["unknown"] = "x" },
	"no selector":        func(spec object) { delete(spec, "selector") },
	"parameters as text": func(spec object) { container(spec)["modprobe"].(object)["parameters"] = "a=1" },
	"no mapping":         func(spec object) { container(spec)["kernelMappings"] = []any{} },
}

func container(spec object) object { return spec["moduleLoader"].(object)["container"].(object) }

// tryStrictly has the API server check an object, unknown fields included, without keeping it.
func (b *bed) tryStrictly(obj object) error {
	b.t.Helper()
	u := (&unstructured.Unstructured{Object: obj}).DeepCopy()
	if u.GetNamespace() != "" {
		u.SetNamespace(b.namespace)
	}
	resource, err := b.findResource(u)
	if err != nil {
		return err
	}
	_, err = resource.Create(b.ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// makeWhatPodNames makes the service account and the runtime class that a pod names, without which no pod is taken.
func (b *bed) makeWhatPodNames(obj object) {
	b.t.Helper()
	if obj["kind"] != "Pod" {
		return
	}
	made := func(err error) {
		b.t.Helper()
		if err != nil && !apierrors.IsAlreadyExists(err) {
			b.t.Fatal(err)
		}
	}
	if name, found, err := unstructured.NestedString(obj, "spec", "serviceAccountName"); err == nil && found {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err = shared.Client.CoreV1().ServiceAccounts(b.namespace).Create(b.ctx, account, metav1.CreateOptions{})
		made(err)
	}
	if name, found, err := unstructured.NestedString(obj, "spec", "runtimeClassName"); err == nil && found {
		class := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: name}
		_, err = shared.Client.NodeV1().RuntimeClasses().Create(b.ctx, class, metav1.CreateOptions{})
		made(err)
	}
}

// goldens reads the objects of the chart's golden files.
func goldens(t *testing.T) map[string][]object {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(root, "charts", "testdata", "*.golden.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]object{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = parse(t, string(text))
	}
	return out
}

// parse reads a stream of objects.
func parse(t *testing.T, text string) []object {
	t.Helper()
	var out []object
	for doc := range strings.SplitSeq("\n"+text, "\n---\n") {
		var obj object
		if err := yaml.UnmarshalStrict([]byte(doc), &obj); err != nil {
			t.Fatalf("not YAML: %v\n%s", err, doc)
		}
		if len(obj) > 0 {
			out = append(out, obj)
		}
	}
	return out
}
