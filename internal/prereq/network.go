package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

var networkPolicies = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}

// traffic is what pods with some labels need.
type traffic struct {
	pods   string
	labels labels.Set
	// to is what they connect to; "" is nothing. from connects to them, at port, by
	// its number or name; "" is nobody.
	to, from, portName string
	port               int32
}

// trafficOf is what the release's pods need of the network by these values.
func (e *env) trafficOf(ctx context.Context) ([]traffic, error) {
	t := e.target(ModeAuto)
	k, supplied := e.supplied()
	daemonSet, err := t.daemonSet()
	if err != nil {
		return nil, err
	}
	var list []traffic
	if supplied || !strings.HasPrefix(k.Source.URL, "file://") {
		list = append(list, traffic{pods: "the agent", labels: daemonSet.Spec.Template.Labels, to: "the module repository"})
	}
	if !supplied {
		return list, nil
	}
	for _, o := range t.ofKind("Deployment") {
		pods, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
		controller := traffic{pods: "the controller", labels: pods, to: "the API server"}
		if k.Supply.Store.Type != valuesschema.StoreURL {
			controller.from, controller.port, controller.portName = "agents", supply.Port, "https"
		}
		list = append(list, controller)
	}
	if job, err := e.exampleJob(ctx, k); err == nil {
		list = append(list, traffic{pods: "a build", labels: job.Spec.Template.Labels, to: "packages and PF_RING's source"})
	}
	return list, nil
}

func namespaceNetwork(ctx context.Context, e *env) Finding {
	needs, err := e.trafficOf(ctx)
	if err != nil {
		return skip(err.Error())
	}
	c, err := e.client()
	if err != nil {
		return unread("the NetworkPolicies", err)
	}
	list, err := c.dynamic.Resource(networkPolicies).Namespace(e.Namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return skip("no right to list NetworkPolicies; the ClusterRole pfring-prereq (deploy/rbac) grants it")
	case err != nil:
		return unread("the NetworkPolicies of "+e.Namespace, err)
	}
	own := e.target(ModeAuto).ofKind("NetworkPolicy")
	var policies []networkingv1.NetworkPolicy
	for i := range list.Items {
		o := &list.Items[i]
		// An installed release has its own already, and they become what is rendered.
		if o.GetLabels()["app.kubernetes.io/name"] == "kubeshark-pfring" && o.GetLabels()["app.kubernetes.io/instance"] == e.Release {
			continue
		}
		own = append(own, o)
	}
	for _, o := range own {
		var p networkingv1.NetworkPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err != nil {
			return unread("NetworkPolicy "+o.GetName(), err)
		}
		policies = append(policies, p)
	}
	return judgeNetwork(needs, policies, len(list.Items))
}

// judgeNetwork holds what pods need against the policies that select them. What is
// allowed in part is told, and not judged: a policy does not say where its addresses
// lead.
func judgeNetwork(needs []traffic, policies []networkingv1.NetworkPolicy, there int) Finding {
	var denied, notes []string
	for _, n := range needs {
		for _, way := range n.ways() {
			by, useful, open := way.judge(policies)
			switch {
			case open:
			case useful:
				notes = append(notes, fmt.Sprintf("not judged: %s of %s is restricted by %s", way.text, n.pods, strings.Join(by, ", ")))
			default:
				denied = append(denied, fmt.Sprintf("%s of %s is denied by %s", way.text, n.pods, strings.Join(by, ", ")))
			}
		}
	}
	switch {
	case len(denied) > 0:
		return warn("traffic-denied", "NetworkPolicies deny traffic that the release needs",
			"Set tap.kernelModule.networkPolicy.enabled to true: the chart then allows it.", append(denied, notes...)...)
	case there == 0:
		return ok("the namespace has no NetworkPolicy")
	}
	return ok("the NetworkPolicies deny nothing that the release needs", notes...)
}

// way is traffic in one direction.
type way struct {
	text   string
	labels labels.Set
	rules  func(networkingv1.NetworkPolicySpec) []rule
	kind   networkingv1.PolicyType
	// admits tells whether a rule for ports lets some of the traffic through.
	admits func([]networkingv1.NetworkPolicyPort) bool
}

type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func (n traffic) ways() []way {
	var list []way
	if n.to != "" {
		list = append(list, way{"traffic to " + n.to, n.labels, egressRules, networkingv1.PolicyTypeEgress, notDNSAlone})
	}
	if n.from != "" {
		list = append(list, way{"traffic from " + n.from, n.labels, ingressRules, networkingv1.PolicyTypeIngress, func(ports []networkingv1.NetworkPolicyPort) bool {
			return slices.ContainsFunc(ports, n.listens)
		}})
	}
	return list
}

func egressRules(s networkingv1.NetworkPolicySpec) (list []rule) {
	for _, r := range s.Egress {
		list = append(list, rule{r.To, r.Ports})
	}
	return list
}

func ingressRules(s networkingv1.NetworkPolicySpec) (list []rule) {
	for _, r := range s.Ingress {
		list = append(list, rule{r.From, r.Ports})
	}
	return list
}

// notDNSAlone tells whether ports are more than that of DNS, which alone leads
// nowhere.
func notDNSAlone(ports []networkingv1.NetworkPolicyPort) bool {
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port == nil || p.EndPort != nil || p.Port.Type == intstr.String && !strings.HasPrefix(p.Port.StrVal, "dns") || p.Port.Type == intstr.Int && p.Port.IntVal != 53
	})
}

func (n traffic) listens(p networkingv1.NetworkPolicyPort) bool {
	switch {
	case p.Protocol != nil && *p.Protocol != "TCP":
		return false
	case p.Port == nil:
		return true
	case p.Port.Type == intstr.String:
		return p.Port.StrVal == n.portName
	case p.EndPort != nil:
		return p.Port.IntVal <= n.port && n.port <= *p.EndPort
	}
	return p.Port.IntVal == n.port
}

// judge returns the policies that restrict the traffic, and whether their rules let
// some of it through, or all.
func (w way) judge(policies []networkingv1.NetworkPolicy) (by []string, useful, open bool) {
	for i := range policies {
		p := &policies[i]
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil || !selector.Matches(w.labels) || !slices.Contains(typesOf(p.Spec), w.kind) {
			continue
		}
		by = append(by, p.Name)
		for _, r := range w.rules(p.Spec) {
			if len(r.ports) > 0 && !w.admits(r.ports) {
				continue
			}
			useful = true
			open = open || len(r.peers) == 0 && (len(r.ports) == 0 || w.kind == networkingv1.PolicyTypeIngress)
		}
	}
	return by, useful, open || len(by) == 0
}

// typesOf are the directions that a policy is about: what the API server defaults.
func typesOf(s networkingv1.NetworkPolicySpec) []networkingv1.PolicyType {
	if len(s.PolicyTypes) > 0 {
		return s.PolicyTypes
	}
	if len(s.Egress) > 0 {
		return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	}
	return []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
}
