package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// Capture is what a DaemonSet of Kubeshark's workers in the release's namespace
// does with PF_RING.
type Capture struct {
	// Object is kind/name.
	Object string `json:"object"`
	// Backend is what the worker is told to capture with, "" if nothing.
	Backend string `json:"packetCapture,omitempty"`
	// MayUsePFRing is false for a backend that is not PF_RING.
	MayUsePFRing bool `json:"mayUsePFRing"`
	// Waits tells that pfring inject has made it wait for the module.
	Waits bool `json:"waits"`

	namespace string
}

// String is a sentence about the workers.
func (c Capture) String() string {
	text := c.Object + " (Kubeshark) " + kubeshark.UseOf(c.Backend)
	switch {
	case !c.MayUsePFRing:
	case c.Waits:
		text += "; it waits for the module"
	default:
		text += "; it does not wait for the module: pfring inject --live -n " + c.namespace
	}
	return text
}

// readCaptures looks for Kubeshark's workers in the namespace.
func (c *Client) readCaptures(ctx context.Context, namespace string) ([]Capture, error) {
	list, err := c.apps.DaemonSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list DaemonSets in namespace %s: %w", namespace, err)
	}
	var found []Capture
	for i := range list.Items {
		ds := &list.Items[i]
		if kubeshark.IsWorker(ds.Name, ds.Labels) || kubeshark.IsWorker("", ds.Spec.Template.Labels) {
			found = append(found, captureOf(ds))
		}
	}
	return found, nil
}

func captureOf(ds *appsv1.DaemonSet) Capture {
	pod := &ds.Spec.Template.Spec
	var arguments []string
	for i := range pod.Containers {
		arguments = slices.Concat(arguments, pod.Containers[i].Command, pod.Containers[i].Args)
	}
	backend := kubeshark.PacketCapture(arguments)
	return Capture{
		Object: "daemonset/" + ds.Name, Backend: backend, MayUsePFRing: !kubeshark.OtherBackend(backend), namespace: ds.Namespace,
		Waits: slices.ContainsFunc(pod.InitContainers, func(c corev1.Container) bool { return c.Name == kubeshark.WaitContainer }),
	}
}
