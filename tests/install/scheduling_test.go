package install_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

type object = map[string]any

func TestPodsGoWhereTheValuesSay(t *testing.T) {
	b := newBed(t, 0)
	h := newHelm(b)
	dedicated := corev1.Taint{Key: "dedicated", Value: "capture", Effect: corev1.TaintEffectNoSchedule}
	b.addNodes(1, kube.Node{Prefix: "plain"})
	b.addNodes(1, kube.Node{Prefix: "pool", Labels: map[string]string{"pool": "capture"}})
	b.addNodes(1, kube.Node{Prefix: "tainted", Taints: []corev1.Taint{dedicated}})
	b.addNodes(1, kube.Node{Prefix: "evicting", Taints: []corev1.Taint{{Key: "maintenance", Effect: corev1.TaintEffectNoExecute}}})
	b.addNodes(1, kube.Node{Prefix: "windows", Labels: map[string]string{corev1.LabelOSStable: "windows"}})

	tolerateDedicated := []any{object{"key": "dedicated", "value": "capture", "effect": "NoSchedule"}}
	inPool := []any{object{"matchExpressions": []any{object{"key": "pool", "operator": "In", "values": []any{"capture"}}}}}
	own := func(key string, value any) object {
		return object{"agent": object{key: value, "nodeSelector": object{setLabel: b.set}}}
	}
	cases := []struct {
		release, mode     string
		kernelModule, tap object
		want              []string
	}{
		{"default", "auto", nil, nil, []string{"evicting", "plain", "pool"}},
		{"default-kmm", "kmm", nil, nil, []string{"evicting", "plain", "pool"}},
		{"ignore-tainted", "auto", nil, object{"ignoreTainted": true}, []string{"evicting", "plain", "pool"}},
		{"workers-tolerate", "auto", nil, object{"tolerations": object{"workers": tolerateDedicated}}, []string{"plain", "pool", "tainted"}},
		{"agent-tolerates", "auto", own("tolerations", tolerateDedicated), object{"ignoreTainted": true}, []string{"plain", "pool", "tainted"}},
		{"terms-list", "auto", nil, object{"nodeSelectorTerms": inPool}, []string{"pool"}},
		{"terms-map", "kmm", nil, object{"nodeSelectorTerms": object{"workers": inPool, "hub": []any{}}}, []string{"pool"}},
		{"own-selector", "auto", object{"agent": object{"nodeSelector": object{setLabel: b.set, "pool": "capture"}}}, nil, []string{"pool"}},
		{"nowhere", "auto", object{"agent": object{"nodeSelector": object{setLabel: b.set, "pool": "none"}}}, nil, nil},
	}
	for _, c := range cases {
		if _, err := h.install(c.release, b.values(c.mode, c.kernelModule, c.tap), 0); err != nil {
			t.Fatalf("%s: %v", c.release, err)
		}
	}
	for _, c := range cases {
		if got := b.scheduled(c.release); !slices.Equal(got, c.want) {
			t.Errorf("%s: pods on %v, want %v", c.release, got, c.want)
		}
	}
}

// scheduled returns the kinds of node that a release's pods are on, once there is one for each node that the controller
// wants, and Kubernetes has bound them all.
func (b *bed) scheduled(release string) []string {
	b.t.Helper()
	var nodes []string
	b.waitFor("the pods of "+release+" to be scheduled", func() bool {
		list, err := shared.Client.AppsV1().DaemonSets(b.namespace).List(b.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + release})
		if err != nil || len(list.Items) != 1 {
			b.t.Fatalf("%d DaemonSets of %s, %v", len(list.Items), release, err)
		}
		ds := list.Items[0]
		nodes = nil
		for _, pod := range b.pods(release) {
			if pod.Spec.NodeName != "" {
				nodes = append(nodes, strings.Split(strings.TrimPrefix(pod.Spec.NodeName, b.set+"-"), "-")[0])
			}
		}
		return ds.Status.ObservedGeneration == ds.Generation && int(ds.Status.DesiredNumberScheduled) == len(nodes)
	})
	slices.Sort(nodes)
	return nodes
}
