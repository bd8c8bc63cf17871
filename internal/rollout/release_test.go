package rollout

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// Argo CD, where it tracks by label, writes its application's name over the label of
// each object, but not over the selector and the pods' labels.
func TestAReleaseIsKnownByItsSelector(t *testing.T) {
	labelled := func(onObject, inSelector string) appsv1.DaemonSet {
		ds := appsv1.DaemonSet{}
		ds.Labels = map[string]string{labelInstance: onObject}
		if inSelector != "" {
			ds.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{labelInstance: inSelector}}
		}
		return ds
	}
	for name, test := range map[string]struct {
		ds   appsv1.DaemonSet
		want string
	}{
		"as installed":            {labelled("pfring", "pfring"), "pfring"},
		"Argo CD's name":          {labelled("monitoring", "pfring"), "pfring"},
		"a selector of one's own": {labelled("pfring", ""), "pfring"},
	} {
		if got := releaseOf(&test.ds).Name; got != test.want {
			t.Errorf("%s: %q", name, got)
		}
		if found := ofRelease([]appsv1.DaemonSet{test.ds, labelled("pfring", "other")}, test.want); len(found) != 1 || instance(&found[0]) != test.want {
			t.Errorf("%s: found %d", name, len(found))
		}
	}
}

func TestTheModuleOfARelease(t *testing.T) {
	module := func(name, label string) *kmmModule {
		m := &kmmModule{}
		m.Name, m.Labels = name, map[string]string{labelInstance: label}
		return m
	}
	r := &Release{Name: "pfring"}
	for name, test := range map[string]struct {
		all  []*kmmModule
		want string
	}{
		"none":                          {nil, ""},
		"by label":                      {[]*kmmModule{module("a", "other"), module("b", "pfring")}, "b"},
		"relabelled, by its usual name": {[]*kmmModule{module("a", "app"), module("pfring-pf-ring", "app")}, "pfring-pf-ring"},
		"relabelled, the only one":      {[]*kmmModule{module("a", "app")}, "a"},
		"relabelled, one of two":        {[]*kmmModule{module("a", "app"), module("b", "app")}, ""},
	} {
		got := ""
		if m := r.module(test.all); m != nil {
			got = m.Name
		}
		if got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAnotherModuleThatLoadsPFRingIsTold(t *testing.T) {
	k, node := kmmCase()
	report := func() *Report {
		return (&facts{release: &Release{Mode: "kmm"}, targets: map[string]*target{"n1": node}}).report(metav1.Now().Time)
	}
	other := func(modprobe map[string]any) kmmEntry {
		return kmmEntry{Name: "zc", Namespace: "capture", Config: kmm.Config{"modprobe": modprobe}}
	}
	own := k.nodes["n1"].Spec.Modules
	own[0].Config["modprobe"] = map[string]any{"moduleName": "pf_ring"}
	for name, test := range map[string]struct {
		modprobe map[string]any
		warns    bool
	}{
		"of the same name":           {map[string]any{"moduleName": "pf_ring"}, true},
		"before a driver of its own": {map[string]any{"moduleName": "i40e_zc", "modulesLoadingOrder": []any{"i40e_zc", "pf_ring"}}, true},
		"of another name":            {map[string]any{"moduleName": "gpu"}, false},
	} {
		k.nodes["n1"].Spec.Modules = []kmmEntry{own[0], other(test.modprobe)}
		warnings := k.rivals(report())
		if test.warns && (len(warnings) != 1 || warnings[0] != "the Module capture/zc loads pf_ring too, on n1: when one of the two is deleted or changed, KMM unloads PF_RING there. Keep one of them, or divide the nodes by their selectors") || !test.warns && len(warnings) > 0 {
			t.Errorf("%s: %q", name, warnings)
		}
	}
}
