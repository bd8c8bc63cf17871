package prereq

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Argo CD may have put the name of its application onto the release's own objects.
func TestTheReleaseItselfIsNoOtherOwner(t *testing.T) {
	object := func(kind, namespace, name, instance string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		u.SetKind(kind)
		u.SetNamespace(namespace)
		u.SetName(name)
		u.SetLabels(map[string]string{"app.kubernetes.io/instance": instance})
		return u
	}
	e := &env{}
	e.Namespace, e.Release = "ns", "pfring"
	e.Targets = []Target{{Objects: []*unstructured.Unstructured{object("DaemonSet", "ns", "pfring-agent", "pfring")}}}
	for name, test := range map[string]struct {
		have *unstructured.Unstructured
		own  bool
	}{
		"as installed":         {object("DaemonSet", "ns", "pfring-agent", "pfring"), true},
		"relabelled":           {object("DaemonSet", "ns", "pfring-agent", "app"), true},
		"of an older name":     {object("DaemonSet", "ns", "old-agent", "pfring"), true},
		"of another release":   {object("DaemonSet", "ns", "other-agent", "other"), false},
		"in another namespace": {object("DaemonSet", "elsewhere", "pfring-agent", "pfring"), false},
		"of another kind":      {object("Module", "ns", "pfring-agent", "app"), false},
	} {
		if got := e.own(test.have.GetKind(), test.have); got != test.own {
			t.Errorf("%s: %v", name, got)
		}
	}
}
