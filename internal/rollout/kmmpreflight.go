package rollout

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// Preflight is what a PreflightValidation of KMM says of the release's Module:
// whether the image for another kernel is available in the cluster, with its own
// pull secret.
type Preflight struct {
	Name   string `json:"name"`
	Kernel string `json:"kernelVersion"`
	// Status is KMM's: Success, Failure or InProgress; "" before it has looked.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// kmmPreflight is what is read of a PreflightValidation.
type kmmPreflight struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Kernel string `json:"kernelVersion"`
	} `json:"spec"`
	Status struct {
		Modules []struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
			Status    string `json:"verificationStatus"`
			Reason    string `json:"statusReason"`
		} `json:"modules"`
	} `json:"status"`
}

// preflights reads those that are there. They are an extra: without the right to
// read them there are none.
func (c *Client) preflights(ctx context.Context, m *kmmModule) []Preflight {
	gvr := schema.GroupVersionResource{Group: kmm.Group, Version: kmm.PreflightVersion, Resource: "preflightvalidations"}
	var list []Preflight
	_, err := cluster.Pages(ctx, "preflightvalidations", metav1.ListOptions{}, c.dynamic.Resource(gvr).List, func() { list = nil }, func(page *unstructured.UnstructuredList) {
		for i := range page.Items {
			v, err := fromUnstructured[kmmPreflight](&page.Items[i])
			if err != nil {
				continue
			}
			p := Preflight{Name: v.Name, Kernel: v.Spec.Kernel}
			for _, s := range v.Status.Modules {
				if s.Name == m.Name && s.Namespace == m.Namespace {
					p.Status, p.Reason = s.Status, s.Reason
				}
			}
			list = append(list, p)
		}
	})
	if err != nil {
		return nil
	}
	slices.SortFunc(list, func(a, b Preflight) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// String is a line for people.
func (p Preflight) String() string {
	text := "PreflightValidation " + p.Name + " for the kernel " + p.Kernel + ": "
	switch {
	case p.Status == "":
		return text + "KMM has not checked it yet"
	case p.Reason == "":
		return text + p.Status
	}
	return text + p.Status + ": " + p.Reason
}
