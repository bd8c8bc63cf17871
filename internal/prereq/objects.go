package prereq

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ofKind are the rendered objects of a kind.
func (t *Target) ofKind(kind string) []*unstructured.Unstructured {
	var list []*unstructured.Unstructured
	for _, o := range t.Objects {
		if o.GetKind() == kind {
			list = append(list, o)
		}
	}
	return list
}

// daemonSet is the rendered DaemonSet. A release that renders none is switched
// off.
func (t *Target) daemonSet() (*appsv1.DaemonSet, error) {
	list := t.ofKind("DaemonSet")
	if len(list) == 0 {
		return nil, fmt.Errorf("the chart renders no DaemonSet: tap.kernelModule.enabled is false")
	}
	ds := &appsv1.DaemonSet{}
	data, err := json.Marshal(list[0])
	if err == nil {
		err = json.Unmarshal(data, ds)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the rendered DaemonSet: %w", err)
	}
	return ds, nil
}

// pod is the Pod that the DaemonSet's template makes, for a dry run.
func (t *Target) pod(namespace string) (*corev1.Pod, error) {
	ds, err := t.daemonSet()
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{ObjectMeta: ds.Spec.Template.ObjectMeta, Spec: ds.Spec.Template.Spec}
	pod.APIVersion, pod.Kind = "v1", "Pod"
	pod.Namespace, pod.GenerateName = namespace, ds.Name+"-"
	return pod, nil
}
