package prereq

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

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
