package prereq

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// daemonSets reads all DaemonSets, once.
func (e *env) daemonSets(ctx context.Context) ([]unstructured.Unstructured, error) {
	return fact(e, "daemonSets", func() ([]unstructured.Unstructured, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		list, err := c.dynamic.Resource(daemonSets).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	})
}

// nodesCapture looks at the capture backend of Kubeshark's workers: that of the
// values, and that of each DaemonSet that runs.
func nodesCapture(ctx context.Context, e *env) Finding {
	var lines, without []string
	for _, t := range e.Targets {
		backend := t.Values.Tap.PacketCapture
		line := "the values: tap.packetCapture " + backend
		if backend == "" || slices.Contains(lines, line) {
			continue
		}
		lines = append(lines, line)
		if kubeshark.OtherBackend(backend) {
			without = append(without, line)
		}
	}
	list, err := e.daemonSets(ctx)
	if err != nil {
		return unread("the DaemonSets of all namespaces", err)
	}
	workers := 0
	for i := range list {
		o := &list[i]
		labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
		if !kubeshark.IsWorker(o.GetName(), o.GetLabels()) && !kubeshark.IsWorker("", labels) {
			continue
		}
		workers++
		var arguments []string
		for _, c := range containersOf(o) {
			arguments = append(arguments, c.Arguments...)
		}
		backend := kubeshark.PacketCapture(arguments)
		line := "DaemonSet " + o.GetNamespace() + "/" + o.GetName() + " " + kubeshark.UseOf(backend)
		lines = append(lines, line)
		if kubeshark.OtherBackend(backend) {
			without = append(without, line)
		}
	}
	switch {
	case len(without) > 0:
		return warn("capture-backend", "workers of Kubeshark capture without PF_RING, so the module is of no use to them",
			"Set tap.packetCapture to best or pf_ring in Kubeshark's values, or do without the module.", without...)
	case len(lines) == 0:
		return ok("none runs yet, and the values name no other capture backend")
	}
	return ok(text.CountOrNo(workers, "DaemonSet")+" of workers; whether a worker uses the module shows while it runs", lines...)
}
