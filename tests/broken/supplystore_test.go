package broken_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
)

// The store of a cluster that builds its own modules: where it is a claim, whether
// that gets a volume; and whether a quota leaves room for the controller's objects.
func TestTheStoreOfASupplyHasRoom(t *testing.T) {
	whole(t)
	of := func(t *testing.T, a attempt) prereq.Finding {
		t.Helper()
		a.mode, a.args = "auto", []string{"--only", "namespace,supply"}
		report, _ := a.report(t)
		for _, f := range report.Findings {
			if f.ID == "supply.store" {
				return f
			}
		}
		t.Fatalf("no finding of supply.store: %s", words(report))
		return prereq.Finding{}
	}
	supplied := func(more object) object {
		return object{"source": object{"url": "", "publicKeys": []any{}}, "supply": more}
	}
	where := shared.Namespace(t, "")
	for name, binding := range map[string]string{"broken-first-consumer": "WaitForFirstConsumer", "broken-immediate": "Immediate"} {
		createObject(t, "", object{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/none", "volumeBindingMode": binding}, name)
		createObject(t, where, object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": object{
			"storageClassName": name, "accessModes": []any{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": "1Gi"}},
		}}, name)
	}
	for claim, want := range map[string]string{"broken-first-consumer": "", "broken-immediate": "claim-pending", "nowhere": "claim-missing"} {
		store := object{"type": "persistentVolumeClaim", "persistentVolumeClaim": object{"existingClaim": claim}}
		if f := of(t, attempt{namespace: where, kernelModule: supplied(object{"store": store})}); f.Reason != want || want == "" && f.Result != prereq.OK {
			t.Errorf("%s: %+v", claim, f)
		}
	}
	for hard, want := range map[string]string{`{count/configmaps: "100"}`: "", `{count/configmaps: "3"}`: "quota-exceeded", `{count/secrets: "1"}`: "quota-exceeded"} {
		f := of(t, attempt{namespace: quotaIn(t, hard), kernelModule: supplied(object{})})
		if f.Reason != want || want == "" && f.Result != prereq.OK {
			t.Errorf("%s: %+v", hard, f)
		}
	}
}
