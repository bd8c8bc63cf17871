package rollout

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// Client reads, and for Retry deletes pods of, one cluster.
type Client struct {
	core    corev1client.CoreV1Interface
	apps    appsv1client.AppsV1Interface
	dynamic dynamic.Interface
	// now is the clock.
	now func() time.Time
}

// NewClient returns a client for the cluster of config. Nodes and pods travel
// as protobuf, which costs a quarter of JSON for thousands.
func NewClient(config *rest.Config) (*Client, error) {
	c := rest.CopyConfig(config)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	// One HTTP client, so that all requests share its connections and rate limit.
	shared, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	core, err := corev1client.NewForConfigAndClient(c, shared)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	apps, err := appsv1client.NewForConfigAndClient(c, shared)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	return &Client{core: core, apps: apps, dynamic: dyn, now: time.Now}, nil
}

// Find finds the release of a name in a namespace; with name "" the only one.
func (c *Client) Find(ctx context.Context, namespace, name string) (*Release, error) {
	return findRelease(ctx, c.apps, namespace, name)
}

// Status reads the state of a release.
func (c *Client) Status(ctx context.Context, r *Release) (*Report, error) {
	f, warnings, err := c.read(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := c.listPods(ctx, f); err != nil {
		return nil, err
	}
	return c.finish(ctx, f, warnings), nil
}

// read lists the nodes. Without the right to, the pods alone tell of nodes.
func (c *Client) read(ctx context.Context, r *Release) (*facts, []string, error) {
	f := &facts{release: r, pods: map[string]*corev1.Pod{}, workers: map[string]*corev1.Pod{}, gone: map[string]bool{}}
	warnings := c.readBuilt(ctx, f)
	targets, err := r.readTargets(ctx, c.core.Nodes())
	if words, ok := apierror.Describe(err, apierror.Caller{Command: "status"}); ok && words.Kind == apierror.Forbidden {
		return f, append(warnings, "only nodes with a pod of the agent are shown: "+words.String()), nil
	}
	f.targets = targets
	return f, warnings, err
}

// listPods lists the pods again and returns where a watch goes on.
func (c *Client) listPods(ctx context.Context, f *facts) (string, error) {
	r := f.release
	pods := c.core.Pods(r.Namespace)
	version, err := cluster.Pages(ctx, "pods in namespace "+r.Namespace, metav1.ListOptions{LabelSelector: r.podSelector()}, pods.List,
		func() { clear(f.pods) }, func(page *corev1.PodList) {
			for i := range page.Items {
				f.put(&page.Items[i])
			}
		})
	if err != nil {
		return "", err
	}
	return version, c.meet(ctx, f)
}

// meet looks up the nodes of pods that are not among the nodes listed: a node may
// be newer than the list, or be gone while its pods are still to be collected.
func (c *Client) meet(ctx context.Context, f *facts) error {
	if f.targets == nil {
		return nil
	}
	for _, p := range f.pods {
		name := p.Spec.NodeName
		if name == "" || f.targets[name] != nil || f.gone[name] {
			continue
		}
		n, err := c.core.Nodes().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			f.gone[name] = true
		case apierrors.IsForbidden(err):
			return nil
		case err != nil:
			return fmt.Errorf("cannot read node %s: %w", name, err)
		default:
			f.targets[name] = f.release.target(n)
		}
	}
	return nil
}

// put takes over a pod as it is now.
func (f *facts) put(p *corev1.Pod) {
	if f.release.owns(p) {
		f.pods[string(p.UID)] = slim(p)
		return
	}
	// Kept even when KMM has deleted it: nothing else tells of a failed load.
	if p.Labels["app.kubernetes.io/name"] == "kmm" && p.Labels[labelComponent] == "worker" && hasDetails(p) {
		f.workers[nodeOf(p)] = slim(p)
	}
}

// hasDetails is true for a worker pod with something to say beyond "I am here".
func hasDetails(p *corev1.Pod) bool {
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if c.State.Terminated != nil || c.LastTerminationState.Terminated != nil || c.State.Waiting != nil && c.State.Waiting.Message != "" {
			return true
		}
	}
	return false
}

// finish adds what takes more requests, where something is amiss.
func (c *Client) finish(ctx context.Context, f *facts, warnings []string) *Report {
	r := f.report(c.now())
	if !r.Complete && f.missesPods() {
		var err error
		if f.creating, err = c.whyNoPods(ctx, f.release); f.creating != "" {
			r = f.report(c.now())
		}
		if words, ok := apierror.Describe(err, apierror.Caller{Command: "status"}); ok {
			warnings = append(warnings, "the cause of missing pods is unknown: "+words.String())
		}
	}
	if f.release.Mode == "kmm" {
		warnings = append(warnings, c.explainKMM(ctx, f, r)...)
	}
	var err error
	if r.Workers, err = c.readCaptures(ctx, f.release.Namespace); err != nil {
		if words, ok := apierror.Describe(err, apierror.Caller{Command: "status"}); ok {
			warnings = append(warnings, "what Kubeshark's workers capture with is not known: "+words.String())
		}
	}
	r.Warnings = warnings
	return r
}

// missesPods is true if a wanted node has no pod at all.
func (f *facts) missesPods() bool {
	have := map[string]bool{}
	for _, p := range f.pods {
		have[p.Spec.NodeName] = true
	}
	for name, t := range f.targets {
		if t.excluded == "" && !have[name] {
			return true
		}
	}
	return false
}

// whyNoPods is the newest refusal among the DaemonSet's events: quota, Pod
// Security and the like stand nowhere else.
func (c *Client) whyNoPods(ctx context.Context, r *Release) (string, error) {
	list, err := c.core.Events(r.Namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{
		"involvedObject.kind": "DaemonSet", "involvedObject.name": r.DaemonSet, "reason": "FailedCreate",
	}.String()})
	if err != nil {
		return "", fmt.Errorf("cannot list events in namespace %s: %w", r.Namespace, err)
	}
	text, newest := "", time.Time{}
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		if text == "" || at.After(newest) {
			text, newest = "the agent's pod cannot be created: "+e.Message, at
		}
	}
	return text, nil
}
