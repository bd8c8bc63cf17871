package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Result is what happens to a pod on a node. It is asked for again until the
// pod is ready, and after Resync.
type Result struct {
	// Hold keeps the pod in its init container, or before its first container if it has none.
	Hold bool
	// Running has the first container of a pod that is not restarted run, while Hold keeps it from ending.
	Running bool
	// Outcome is the init container's termination message. What it leaves empty of the node's own facts is filled in.
	Outcome outcome.Outcome
	// ExitCode is the init container's; not 0 makes it crash and start again. For a pod that is not restarted it is the
	// main container's.
	ExitCode int32
	// Unready leaves the main container running without being ready.
	Unready bool
	// Message is the main container's termination message, for a pod that is not restarted.
	Message string
	// Waiting is why the first container does not begin, such as ImagePullBackOff.
	Waiting *corev1.ContainerStateWaiting
	// Evicted ends the pod as a kubelet does that runs out of something, and is what it says.
	Evicted string
}

// Handler decides about a pod on a simulated node. It may be called by several
// goroutines at once and must not change what it gets.
type Handler func(pod *corev1.Pod, node *corev1.Node) Result

// Kubelet moves the pods of all simulated nodes.
type Kubelet struct {
	client  kubernetes.Interface
	handler Handler
	pods    listers.PodLister
	nodes   listers.NodeLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
	workers sync.WaitGroup
}

const (
	kubeletWorkers = 8
	// holdInterval is how soon a pod that is not ready is asked about again.
	holdInterval = 100 * time.Millisecond
)

// RunKubelet starts one kubelet for all simulated nodes, which works until ctx
// ends. Only one at a time makes sense.
func (c *Cluster) RunKubelet(ctx context.Context, handler Handler) (*Kubelet, error) {
	factory := informers.NewSharedInformerFactory(c.Client, 0)
	pods, nodes := factory.Core().V1().Pods(), factory.Core().V1().Nodes()
	k := &Kubelet{
		client: c.Client, handler: handler, pods: pods.Lister(), nodes: nodes.Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
	}
	changed := func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			k.queue.Add(cache.MetaObjectToName(pod))
		}
	}
	if _, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, obj any) { changed(obj) },
	}); err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	// A pod may be seen before its node.
	if _, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { k.Resync() }}); err != nil {
		return nil, fmt.Errorf("watching nodes: %w", err)
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return nil, fmt.Errorf("listing %s: %w", kind, context.Cause(ctx))
		}
	}
	for range kubeletWorkers {
		k.workers.Go(func() { k.work(ctx) })
	}
	context.AfterFunc(ctx, k.queue.ShutDown)
	return k, nil
}

// Wait returns when the kubelet's context has ended and it has stopped.
func (k *Kubelet) Wait() { k.workers.Wait() }

// Resync asks the handler about every pod again.
func (k *Kubelet) Resync() {
	// Listing from the cache cannot fail.
	pods, _ := k.pods.List(labels.Everything())
	for _, pod := range pods {
		k.queue.Add(cache.MetaObjectToName(pod))
	}
}

func (k *Kubelet) work(ctx context.Context) {
	for {
		name, shutdown := k.queue.Get()
		if shutdown {
			return
		}
		again, err := k.sync(ctx, name)
		switch {
		case err != nil:
			// Mostly a conflict with somebody else's change, whose event comes soon.
			k.queue.AddRateLimited(name)
		case again:
			k.queue.Forget(name)
			k.queue.AddAfter(name, holdInterval)
		default:
			k.queue.Forget(name)
		}
		k.queue.Done(name)
	}
}

// sync moves one pod as far as the handler lets it go, and tells whether it is to be asked about again.
func (k *Kubelet) sync(ctx context.Context, name cache.ObjectName) (again bool, err error) {
	pod, err := k.pods.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) || err == nil && pod.Spec.NodeName == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	node, err := k.nodes.Get(pod.Spec.NodeName)
	if apierrors.IsNotFound(err) || err == nil && node.Labels[simulatedLabel] == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if pod.DeletionTimestamp != nil {
		return false, k.remove(ctx, pod)
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false, nil
	}
	result := k.handler(pod, node)
	status, err := podStatus(pod, node, result)
	if err != nil {
		return false, err
	}
	return result.Hold || result.Waiting != nil || result.Unready || result.ExitCode != 0, k.update(ctx, pod, status)
}

// update writes a pod's status unless it stands there already.
func (k *Kubelet) update(ctx context.Context, pod *corev1.Pod, status corev1.PodStatus) error {
	if equality.Semantic.DeepEqual(pod.Status, status) {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Status = status
	_, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	return err
}

// remove says that the containers have ended.
func (k *Kubelet) remove(ctx context.Context, pod *corev1.Pod) error {
	now := int64(0)
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
