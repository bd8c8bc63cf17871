package broken_test

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The tests of this file are for clusters without cert-manager and KMM. They
// stand in the first file of the package, since installing both takes longest.

func TestAHealthyClusterWithNothingElseHasNoFinding(t *testing.T) {
	bare(t)
	healthy(t, attempt{mode: "auto"})
}

// healthy wants no finding, and nothing left out but the checks named.
func healthy(t *testing.T, a attempt, skipped ...string) {
	t.Helper()
	report := a.finds(t)
	if got := skips(report); !slices.Equal(got, skipped) {
		t.Errorf("not looked at: %v, want %v", got, skipped)
	}
	if !report.OK || !strings.HasPrefix(report.Verdict, "ready") {
		t.Errorf("%v: %s", report.OK, report.Verdict)
	}
}

func TestNothingInstalled(t *testing.T) {
	bare(t)
	attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error cert-manager-missing", "kmm.definitions error kmm-missing")
}

func TestDefinitionsOnly(t *testing.T) {
	bare(t)
	applyAll(t, shared.addons.certDefinitions, shared.addons.kmmDefinitions)
	t.Cleanup(func() { removeAll(t, shared.addons.kmmDefinitions, shared.addons.certDefinitions) })
	attempt{mode: "kmm"}.finds(t,
		"cert-manager.ca-injected error webhook-configuration-missing",
		"cert-manager.controllers error deployment-missing",
		"cert-manager.webhook error webhook-not-configured",
		"kmm.controller error deployment-missing",
		"kmm.webhook error webhook-not-configured")
}

func TestAHubIsNoPlaceForModules(t *testing.T) {
	bare(t)
	hub, err := parse(standIn("ManagedClusterModule", "managedclustermodules", "hub.kmm.sigs.x-k8s.io", "v1beta1", "{type: object}"))
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, []*unstructured.Unstructured{hub})
	t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{hub}) })
	attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error cert-manager-missing", "kmm.definitions error kmm-hub-only")
}

func TestOnOpenShift(t *testing.T) {
	bare(t)
	a := shared.addons
	var shape []*unstructured.Unstructured
	for _, d := range [][4]string{
		{"ClusterVersion", "clusterversions", "config.openshift.io", "v1"},
		{"SecurityContextConstraints", "securitycontextconstraints", "security.openshift.io", "v1"},
	} {
		o, err := parse(standIn(d[0], d[1], d[2], d[3], "{type: object, x-kubernetes-preserve-unknown-fields: true}"))
		if err != nil {
			t.Fatal(err)
		}
		shape = append(shape, o)
	}
	applyAll(t, shape)
	t.Cleanup(func() { removeAll(t, shape) })
	where := shared.Namespace(t, "")
	certs := []string{"cert-manager.definitions", "cert-manager.controllers", "cert-manager.version", "cert-manager.ca-injected", "cert-manager.webhook"}

	t.Run("without KMM and without rights", func(t *testing.T) {
		attempt{mode: "kmm", namespace: where}.finds(t, "kmm.definitions error kmm-missing", "namespace.scc warning scc-not-bound")
		attempt{mode: "auto", namespace: where}.finds(t, "namespace.scc warning scc-not-bound")
	})
	t.Run("the chart brings the agent's right", func(t *testing.T) {
		healthy(t, attempt{mode: "auto", namespace: where, kernelModule: object{"openshift": object{"scc": object{"create": true}}}})
	})
	applyAll(t, a.kmmDefinitions)
	t.Cleanup(func() { removeAll(t, a.kmmDefinitions) })
	t.Run("healthy with kmm", func(t *testing.T) {
		url, err := a.serve(admission(kernelModules))
		if err != nil {
			t.Fatal(err)
		}
		list, err := parseAll(kmmObjects("openshift-kmm", url, a.issuer.pem, `service.beta.openshift.io/inject-cabundle: "true"`))
		if err != nil {
			t.Fatal(err)
		}
		grant, err := parseAll(fmt.Sprintf(`
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: scc, namespace: %[1]s},
 rules: [{apiGroups: [security.openshift.io], resources: [securitycontextconstraints], resourceNames: [privileged], verbs: [use]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: scc, namespace: %[1]s},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: scc}, subjects: [{kind: ServiceAccount, name: default, namespace: %[1]s}]}
`, where))
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, list, grant)
		t.Cleanup(func() { removeAll(t, list, grant) })
		healthy(t, attempt{mode: "kmm", namespace: where}, certs...)
	})
	t.Run("the service CA operator has not injected", func(t *testing.T) {
		url, err := a.serve(admission(kernelModules))
		if err != nil {
			t.Fatal(err)
		}
		list, err := parseAll(kmmObjects("openshift-kmm", url, nil, `service.beta.openshift.io/inject-cabundle: "true"`))
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, list)
		t.Cleanup(func() { removeAll(t, list) })
		attempt{mode: "kmm", namespace: where, args: []string{"--skip", "namespace.scc"}}.finds(t,
			"kmm.certificate error ca-not-injected", "kmm.webhook error webhook-ca-untrusted")
	})
}

func TestJUnitOfARealClusterIsXMLWithAFailureForEachError(t *testing.T) {
	bare(t)
	a := attempt{mode: "kmm", namespace: shared.Namespace(t, ""), raw: true, args: []string{"-o", "junit"}}
	out, errOut, code := a.outputOf(t)
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(out), &suite); err != nil || code != 1 || errOut != "" {
		t.Fatalf("exit %d, %v, %q\n%s", code, err, errOut, out)
	}
	a.raw, a.args = false, nil
	report, _ := a.report(t)
	wanted := len(report.Findings)
	var failures, skipped []string
	for _, c := range suite.Cases {
		if c.Failure != nil {
			failures = append(failures, c.Name)
		}
		if c.Skipped != nil {
			skipped = append(skipped, c.Name)
		}
	}
	if !slices.Equal(failures, []string{"cert-manager.definitions", "kmm.definitions"}) || len(failures) != suite.Failures ||
		len(skipped) != suite.Skipped || len(suite.Cases) != suite.Tests || suite.Tests != wanted {
		t.Errorf("%d tests, failures %v, skipped %v; %d checks are made", suite.Tests, failures, skipped, wanted)
	}
}
