package prereq

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

func nodesOverlap(ctx context.Context, e *env) Finding {
	nodes, err := e.selectedNodes(ctx)
	if err != nil {
		return unread("the nodes", err)
	}
	others, err := e.otherOwners(ctx)
	if err != nil {
		return unread("the DaemonSets and Modules of all namespaces", err)
	}
	var clashes []string
	for _, o := range others {
		shared := 0
		for _, n := range nodes {
			if o.takes(n) {
				shared++
			}
		}
		if shared > 0 {
			clashes = append(clashes, fmt.Sprintf("%s: %s in common", o.name, text.CountOrNo(shared, "node")))
		}
	}
	if len(clashes) > 0 {
		return fail("module-has-another-owner", "something else loads pf_ring on the same nodes",
			"Uninstall the other one, or divide the nodes between them with tap.nodeSelectorTerms. For Kubeshark up to 52.3.88, turn its own loader off: --set tap.kernelModule.enabled=false.", clashes...)
	}
	return ok("nothing else loads it on these nodes")
}

// owner is something that loads pf_ring on nodes.
type owner struct {
	name  string
	takes func(node) bool
}

var (
	daemonSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	modules    = schema.GroupVersionResource{Group: "kmm.sigs.x-k8s.io", Version: "v1beta1", Resource: "modules"}
)

// otherOwners are the releases of this chart, other DaemonSets that load the module,
// such as Kubeshark's own to 52.3.88, and KMM's Modules for pf_ring, without those of
// the release itself.
func (e *env) otherOwners(ctx context.Context) ([]owner, error) {
	c, err := e.client()
	if err != nil {
		return nil, err
	}
	var owners []owner
	all, err := e.daemonSets(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		o := &all[i]
		how, ours := ownLoader(o), o.GetLabels()["app.kubernetes.io/name"] == "kubeshark-pfring" && o.GetLabels()["app.kubernetes.io/component"] == "agent"
		switch name := "DaemonSet " + o.GetNamespace() + "/" + o.GetName(); {
		case e.own("DaemonSet", o):
		case ours:
			owners = append(owners, owner{name, daemonSetTakes(o)})
		case how != "":
			owners = append(owners, owner{name + " (" + how + ")", daemonSetTakes(o)})
		}
	}
	list, err := c.dynamic.Resource(modules).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return owners, nil // KMM is not installed.
	}
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		o := &list.Items[i]
		container, _, _ := unstructured.NestedMap(o.Object, "spec", "moduleLoader", "container")
		if !kmm.Config(container).Loads("pf_ring") || e.own("Module", o) {
			continue
		}
		selector, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector")
		owners = append(owners, owner{"Module " + o.GetNamespace() + "/" + o.GetName(), func(n node) bool { return hasLabels(n, selector) }})
	}
	return owners, nil
}

// ownLoader says how the pods of a DaemonSet load PF_RING themselves.
func ownLoader(o *unstructured.Unstructured) string { return kubeshark.OwnLoader(containersOf(o)) }

// containersOf are the containers of a DaemonSet's pods, those of its start first.
func containersOf(o *unstructured.Unstructured) []kubeshark.Container {
	var ds appsv1.DaemonSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &ds); err != nil {
		return nil // the API server has taken it, so it is of no kind that is known here
	}
	var all []kubeshark.Container
	for _, c := range slices.Concat(ds.Spec.Template.Spec.InitContainers, ds.Spec.Template.Spec.Containers) {
		k := kubeshark.Container{Name: c.Name, Image: c.Image, Arguments: slices.Concat(c.Command, c.Args)}
		if c.SecurityContext != nil && c.SecurityContext.Capabilities != nil {
			for _, name := range c.SecurityContext.Capabilities.Add {
				k.Capabilities = append(k.Capabilities, string(name))
			}
		}
		all = append(all, k)
	}
	return all
}

// own tells whether an object of a kind belongs to the release that is checked: by its name,
// or by its label, over which Argo CD writes the name of its application.
func (e *env) own(kind string, o *unstructured.Unstructured) bool {
	if o.GetNamespace() != e.Namespace {
		return false
	}
	for _, t := range e.Targets {
		for _, wanted := range t.Objects {
			if wanted.GetKind() == kind && wanted.GetName() == o.GetName() {
				return true
			}
		}
	}
	return o.GetLabels()["app.kubernetes.io/instance"] == e.Release
}

func daemonSetTakes(o *unstructured.Unstructured) func(node) bool {
	selector, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "spec", "nodeSelector")
	terms, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "affinity", "nodeAffinity",
		"requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	parsed, err := cluster.ParseTerms(terms)
	targets := cluster.Targets{Labels: selector, Terms: parsed}
	return func(n node) bool {
		// Terms that cannot be read are taken as meaning every node.
		object := &corev1.Node{}
		object.Name, object.Labels = n.Name, n.labels
		return err != nil && hasLabels(n, selector) || err == nil && targets.Match(object)
	}
}

func hasLabels(n node, want map[string]string) bool {
	for key, value := range want {
		if have, found := n.labels[key]; !found || have != value {
			return false
		}
	}
	return true
}
