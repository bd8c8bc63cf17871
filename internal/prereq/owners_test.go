package prereq

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
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

func TestDaemonSetsThatLoadTheModuleThemselves(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n"
	for name, test := range map[string]struct{ pod, says string }{
		"Kubeshark 52.3.88": {"      initContainers: [{name: load-pf-ring, image: 'kubeshark/pf-ring-module:all'}]\n", "load-pf-ring loads PF_RING from kubeshark/pf-ring-module:all"},
		"Kubeshark 52.0":    {"      containers: [{name: sniffer, securityContext: {capabilities: {add: [SYS_MODULE]}}}]\n", "Kubeshark's own bucket"},
		"told not to":       {"      containers: [{name: sniffer, command: [./worker, -no-kernel-module], securityContext: {capabilities: {add: [SYS_MODULE]}}}]\n", ""},
		"somebody else's":   {"      containers: [{name: load, image: 'x/pfring-loader:1', securityContext: {capabilities: {add: [CAP_SYS_MODULE]}}}]\n", "has SYS_MODULE and the image"},
		"another module":    {"      containers: [{name: load, image: 'x/zfs:1', securityContext: {capabilities: {add: [SYS_MODULE]}}}]\n", ""},
		"Kubeshark 53.3":    {"      containers: [{name: sniffer, securityContext: {capabilities: {add: [NET_RAW]}}}]\n", ""},
		"no security":       {"      containers: [{name: sniffer}]\n", ""},
	} {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(head+test.pod), &o.Object); err != nil {
			t.Fatal(err)
		}
		if got := ownLoader(o); test.says == "" != (got == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q, want %q", name, got, test.says)
		}
	}
}
