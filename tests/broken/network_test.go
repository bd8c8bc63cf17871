package broken_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
)

// Where a namespace denies all traffic, the check says which pods that stops, and
// the chart's own policies are the way out, before they are installed and after.
func TestANamespaceThatDeniesTraffic(t *testing.T) {
	const (
		denyAll  = `{podSelector: {}, policyTypes: [Ingress, Egress]}`
		denyIn   = `{podSelector: {}}`
		allowDNS = `{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]}]}`
		someOut  = `{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}`
		others   = `{podSelector: {matchLabels: {app: other}}, policyTypes: [Ingress, Egress]}`
		fromHere = `{podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}`
	)
	supplied := object{"source": object{"url": "", "publicKeys": []any{}}}
	allowed := object{"source": object{"url": "", "publicKeys": []any{}}, "networkPolicy": object{"enabled": true}}
	file := object{"source": object{"url": "file:///modules", "volume": object{"emptyDir": object{}}}}
	for _, c := range []struct {
		name     string
		policies []string
		values   object
		reason   string
		details  []string
	}{
		{name: "none", values: supplied},
		{name: "for other pods", policies: []string{others}, values: supplied},
		{name: "all is denied", policies: []string{denyAll}, values: supplied, reason: "traffic-denied", details: []string{
			"traffic to the module repository of the agent is denied by p0", "traffic to the API server of the controller is denied by p0",
			"traffic from agents of the controller is denied by p0", "traffic to packages and PF_RING's source of a build is denied by p0",
		}},
		{name: "all but DNS is denied", policies: []string{denyAll, allowDNS}, values: supplied, reason: "traffic-denied", details: []string{
			"traffic to the module repository of the agent is denied by p0, p1", "traffic to the API server of the controller is denied by p0, p1",
			"traffic from agents of the controller is denied by p0", "traffic to packages and PF_RING's source of a build is denied by p0, p1",
		}},
		{name: "what comes in is denied", policies: []string{denyIn}, values: supplied, reason: "traffic-denied", details: []string{"traffic from agents of the controller is denied by p0"}},
		{name: "some is allowed", policies: []string{someOut, fromHere}, values: supplied, details: []string{
			"not judged: traffic to the module repository of the agent is restricted by p0", "not judged: traffic to the API server of the controller is restricted by p0",
			"not judged: traffic from agents of the controller is restricted by p1", "not judged: traffic to packages and PF_RING's source of a build is restricted by p0",
		}},
		{name: "all is denied, and the chart allows it", policies: []string{denyAll}, values: allowed},
		{name: "all is denied, and nothing is needed", policies: []string{denyAll}, values: file},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := shared.Namespace(t, "")
			var list []*unstructured.Unstructured
			for i, spec := range c.policies {
				o, err := parse(fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%d, namespace: %s}, spec: %s}", i, where, spec))
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, o)
			}
			applyAll(t, list)
			report, _ := attempt{mode: "auto", namespace: where, kernelModule: c.values, args: []string{"--only", "namespace"}}.report(t)
			i := slices.IndexFunc(report.Findings, func(f prereq.Finding) bool { return f.ID == "namespace.network" })
			if i < 0 {
				t.Fatalf("no finding: %s", words(report))
			}
			f := report.Findings[i]
			if f.Reason != c.reason || c.reason == "" && f.Result != prereq.OK || !slices.Equal(f.Details, c.details) {
				t.Errorf("%s %s: %s\n%s", f.Result, f.Reason, f.Observed, strings.Join(f.Details, "\n"))
			}
			if c.reason != "" && (f.Result != prereq.Warning || !strings.Contains(f.Remedy, "networkPolicy.enabled")) {
				t.Errorf("%+v", f)
			}
		})
	}
}
