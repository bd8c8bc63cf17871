package install_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A GitOps controller compares what was rendered with what the API server keeps. Defaults that the server adds do not
// bother it; a field that comes back otherwise (a quantity written in another way, an empty list that is dropped) makes
// it apply again and again.
func TestTheAPIServerKeepsEveryRenderedFieldAsItIs(t *testing.T) {
	b := newBed(t, 0)
	kinds := map[string]int{}
	for name, objects := range goldens(t) {
		for _, obj := range objects {
			if strings.HasPrefix(obj["apiVersion"].(string), prometheusGroup+"/") || isHook(obj) {
				continue
			}
			kinds[obj["kind"].(string)]++
			stored := b.dryRun(obj)
			for _, d := range drift("", obj, stored) {
				t.Errorf("%s: %s: %s", name, obj["kind"], d)
			}
		}
	}
	for _, kind := range []string{"DaemonSet", "Module", "ServiceAccount", "NetworkPolicy", "Role", "RoleBinding", "ConfigMap"} {
		if kinds[kind] == 0 {
			t.Errorf("no golden file has a %s, so nothing is known of it", kind)
		}
	}
}

func isHook(obj object) bool {
	annotations, _ := obj["metadata"].(object)["annotations"].(object)
	return annotations["helm.sh/hook"] != nil
}

// dryRun returns an object as the API server would keep it.
func (b *bed) dryRun(obj object) object {
	b.t.Helper()
	u := (&unstructured.Unstructured{Object: obj}).DeepCopy()
	if u.GetNamespace() != "" {
		u.SetNamespace(b.namespace)
	}
	kind := u.GroupVersionKind()
	got, err := b.resource(u).Create(b.ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		b.t.Fatalf("%s: %v", kind.Kind, err)
	}
	return got.Object
}

// drift lists what is rendered and not kept. The test has a namespace of its own.
func drift(path string, rendered, stored any) []string {
	if path == ".metadata.namespace" {
		return nil
	}
	switch want := rendered.(type) {
	case map[string]any:
		got, ok := stored.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v and was a map", path, stored)}
		}
		var out []string
		for key, value := range want {
			kept, there := got[key]
			if !there {
				out = append(out, fmt.Sprintf("%s.%s: %v is dropped", path, key, value))
				continue
			}
			out = append(out, drift(path+"."+key, value, kept)...)
		}
		return out
	case []any:
		got, ok := stored.([]any)
		if !ok || len(got) != len(want) {
			return []string{fmt.Sprintf("%s: %v has become %v", path, rendered, stored)}
		}
		var out []string
		for i := range want {
			out = append(out, drift(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])...)
		}
		return out
	}
	if reflect.DeepEqual(rendered, stored) || fmt.Sprint(rendered) == fmt.Sprint(stored) && isNumber(rendered) && isNumber(stored) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %#v has become %#v", path, rendered, stored)}
}

// isNumber: one side read YAML, the other JSON, which knows one kind of number.
func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, int:
		return true
	}
	return false
}

func TestDriftIsSeen(t *testing.T) {
	stored := object{"a": object{"x": int64(1), "added": true}, "l": []any{"b"}, "q": "1"}
	for _, rendered := range []object{
		{"a": object{"x": int64(2)}}, {"gone": []any{}}, {"l": []any{"b", "c"}}, {"q": "1000m"}, {"q": int64(1)}, {"a": "text"},
	} {
		if len(drift("", rendered, stored)) == 0 {
			t.Errorf("%v is taken for %v", rendered, stored)
		}
	}
	if d := drift("", object{"a": object{"x": float64(1)}, "l": []any{"b"}}, stored); len(d) > 0 {
		t.Error(d)
	}
}
