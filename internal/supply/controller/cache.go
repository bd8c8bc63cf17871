package controller

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// cacheOptions are what is watched, and how little of it is kept: thousands of
// nodes and pods have to fit into a few MiB.
func cacheOptions(o Options, names supply.Names) (cache.Options, error) {
	component, err := labels.NewRequirement("app.kubernetes.io/component", selection.In, []string{"agent", supply.Component})
	if err != nil {
		return cache.Options{}, err
	}
	instance, err := labels.NewRequirement("app.kubernetes.io/instance", selection.Equals, []string{o.Release})
	if err != nil {
		return cache.Options{}, err
	}
	here := map[string]cache.Config{o.Namespace: {}}
	own := labels.SelectorFromSet(names.Labels())
	shared := true
	// By field, since a cache by namespaces cannot be listed without copies.
	inNamespace := fields.OneTermEqualSelector("metadata.namespace", o.Namespace)
	return cache.Options{NewInformer: inPages, ByObject: map[client.Object]cache.ByObject{
		&corev1.Node{}:       {Transform: transform(slimNode), UnsafeDisableDeepCopy: &shared},
		&corev1.Pod{}:        {Field: inNamespace, Label: labels.NewSelector().Add(*component, *instance), Transform: keepPod, UnsafeDisableDeepCopy: &shared},
		&batchv1.Job{}:       {Namespaces: here, Label: own, Transform: slimObject, UnsafeDisableDeepCopy: &shared},
		&corev1.ConfigMap{}:  {Namespaces: here, Label: own, Transform: slimObject, UnsafeDisableDeepCopy: &shared},
		&appsv1.DaemonSet{}:  {Namespaces: here, Field: fields.OneTermEqualSelector("metadata.name", o.DaemonSet), Transform: slimObject},
		&appsv1.Deployment{}: {Namespaces: here},
	}}, nil
}

// inPages has the first list of thousands of objects come in pages, each of which
// is cut down before the next one comes. API servers since Kubernetes 1.32 send
// objects one by one on the watch instead; older ones answer a list that may be
// served from their cache with all objects at once.
func inPages(lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	if whole, ok := lw.(*toolscache.ListWatch); ok && whole.ListWithContextFunc != nil {
		paged := *whole
		paged.ListWithContextFunc = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			if o.ResourceVersion == "0" && o.Limit > 0 {
				o.ResourceVersion = ""
			}
			page, err := whole.ListWithContextFunc(ctx, o)
			if err == nil {
				slimPage(page)
			}
			return page, err
		}
		lw = &paged
	}
	return toolscache.NewSharedIndexInformer(lw, object, resync, indexers)
}

// slimPage does to a page what the cache does to each object later.
func slimPage(page runtime.Object) {
	switch page := page.(type) {
	case *corev1.NodeList:
		for i := range page.Items {
			page.Items[i] = *slimNode(&page.Items[i])
		}
	case *corev1.PodList:
		for i := range page.Items {
			page.Items[i] = *slimPod(&page.Items[i])
		}
	}
}

// transform leaves alone what is not of the kind, such as the mark of a deletion
// that was missed.
func transform[T any](slim func(*T) *T) toolscache.TransformFunc {
	return func(in any) (any, error) {
		if object, ok := in.(*T); ok {
			return slim(object), nil
		}
		return in, nil
	}
}

func slimObject(in any) (any, error) {
	if o, ok := in.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return in, nil
}

// slimNode keeps what tells the kernel, the platform and whether the DaemonSet is
// for the node.
func slimNode(n *corev1.Node) *corev1.Node {
	info := n.Status.NodeInfo
	out := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, Labels: make(map[string]string, len(n.Labels))},
		Spec:       corev1.NodeSpec{Taints: n.Spec.Taints, Unschedulable: n.Spec.Unschedulable, ProviderID: n.Spec.ProviderID},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
			BootID: info.BootID, KernelVersion: shared(info.KernelVersion), OSImage: shared(info.OSImage),
			OperatingSystem: shared(info.OperatingSystem), Architecture: shared(info.Architecture),
		}},
	}
	// Most labels are the same on many nodes.
	for key, value := range n.Labels {
		out.Labels[shared(key)] = shared(value)
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			out.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	return out
}

// shared keeps one copy of a text.
func shared(s string) string { return unique.Make(s).Value() }

// keepPod keeps of an agent whose PF_RING works, or that has not said yet, no
// more than that it is there: they are as many as nodes.
func keepPod(in any) (any, error) {
	p, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	if p.Labels["app.kubernetes.io/component"] == "agent" && !fellBack(p) {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: shared(p.Namespace), UID: p.UID, ResourceVersion: p.ResourceVersion}}, nil
	}
	return slimPod(p), nil
}

// fellBack tells whether the agent of a pod went on without PF_RING.
func fellBack(p *corev1.Pod) bool {
	o, ok := lastOutcome(p)
	return ok && o.Backend != outcome.PFRing
}

// slimPod keeps what package rollout judges, with outcomes cut to what it reads.
func slimPod(p *corev1.Pod) *corev1.Pod {
	out := rollout.Slim(p)
	out.ResourceVersion = p.ResourceVersion
	if out.Labels["app.kubernetes.io/component"] != "agent" {
		return out
	}
	out.Labels = make(map[string]string, len(p.Labels))
	for key, value := range p.Labels {
		out.Labels[shared(key)] = shared(value)
	}
	out.Spec.Containers = nil
	status := corev1.PodStatus{Phase: p.Status.Phase, Reason: p.Status.Reason}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady || c.Type == corev1.PodScheduled {
			status.Conditions = append(status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: shared(c.Reason)})
		}
	}
	status.InitContainerStatuses = slimContainers(p.Status.InitContainerStatuses)
	status.ContainerStatuses = slimContainers(p.Status.ContainerStatuses)
	out.Status = status
	return out
}

func slimContainers(list []corev1.ContainerStatus) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, c := range list {
		slim := corev1.ContainerStatus{Name: shared(c.Name), State: c.State, LastTerminationState: c.LastTerminationState, Ready: c.Ready}
		for _, state := range []*corev1.ContainerState{&slim.State, &slim.LastTerminationState} {
			if state.Terminated != nil {
				ended := *state.Terminated
				ended.ContainerID, ended.Message = "", slimOutcome(ended.Message)
				state.Terminated = &ended
			}
		}
		out = append(out, slim)
	}
	return out
}

// slimOutcome is the outcome line without what is for people.
func slimOutcome(message string) string {
	o, err := outcome.Parse([]byte(message))
	if err != nil {
		return ""
	}
	text, err := json.Marshal(outcome.Outcome{
		SchemaVersion: o.SchemaVersion, Kernel: o.Kernel, Arch: o.Arch, BootID: o.BootID, Backend: o.Backend, Reason: o.Reason, Time: o.Time,
		Module: outcome.Module{SHA256: shared(o.Module.SHA256)},
	})
	if err != nil {
		return ""
	}
	return string(text)
}

// sameNode compares nodes as slimNode keeps them.
func sameNode(a, b *corev1.Node) bool {
	return maps.Equal(a.Labels, b.Labels) && a.Status.NodeInfo == b.Status.NodeInfo && a.Spec.Unschedulable == b.Spec.Unschedulable &&
		slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(x, y corev1.Taint) bool { return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect }) &&
		slices.EqualFunc(a.Status.Conditions, b.Status.Conditions, func(x, y corev1.NodeCondition) bool { return x.Status == y.Status })
}

// objectsOf are all objects of a kind in the cache, themselves: a list of copies
// would cost memory in proportion to the nodes at each look.
func objectsOf[T any, P interface {
	*T
	client.Object
}](ctx context.Context, c cache.Cache) ([]P, error) {
	informer, err := c.GetInformer(ctx, P(new(T)))
	if err != nil {
		return nil, err
	}
	stored, ok := informer.(interface{ GetStore() toolscache.Store })
	if !ok {
		return nil, errors.New("cannot list the cache: it keeps no objects")
	}
	all := stored.GetStore().List()
	out := make([]P, 0, len(all))
	for _, o := range all {
		if object, ok := o.(P); ok {
			out = append(out, object)
		}
	}
	return out, nil
}
