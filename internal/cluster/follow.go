package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

const (
	// settle gathers changes that come together, such as those of a new node.
	settle = 200 * time.Millisecond
	// watchPause is before a watch that broke is opened again.
	watchPause = 500 * time.Millisecond
)

// NodeWatcher lists and watches Node objects; the core/v1 client of client-go is one.
type NodeWatcher interface {
	NodeLister
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Followed are the nodes of a cluster as they are now, kept by one list and one
// watch. It is a NodeLister, of nodes without the list of their images.
type Followed struct {
	client   NodeWatcher
	selector string
	changed  chan struct{}

	mu    sync.Mutex
	nodes map[string]*corev1.Node
	err   error
}

// Follow lists the nodes that the label selector matches and follows them until ctx
// ends. A watch that breaks goes on where it was; only when the API server has
// forgotten that place are the nodes listed again.
func Follow(ctx context.Context, client NodeWatcher, selector string) (*Followed, error) {
	f := &Followed{client: client, selector: selector, changed: make(chan struct{}, 1)}
	version, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	go f.follow(ctx, version)
	return f, nil
}

// List returns the nodes, in the order of their names.
func (f *Followed) List(context.Context, metav1.ListOptions) (*corev1.NodeList, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := &corev1.NodeList{}
	for _, name := range slices.Sorted(maps.Keys(f.nodes)) {
		list.Items = append(list.Items, *f.nodes[name])
	}
	return list, f.err
}

// Next returns when a node has changed since the last call, in what a report may say
// of it, or after atMost. It fails when ctx ends, and when nothing more can be learnt.
func (f *Followed) Next(ctx context.Context, atMost time.Duration) error {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-f.changed:
		if wait.For(ctx, settle) == nil {
			select {
			case <-f.changed:
			default:
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.err, ctx.Err())
}

func (f *Followed) list(ctx context.Context) (version string, err error) {
	var nodes map[string]*corev1.Node
	version, err = Pages(ctx, "nodes", metav1.ListOptions{LabelSelector: f.selector}, f.client.List,
		func() { nodes = map[string]*corev1.Node{} },
		func(page *corev1.NodeList) {
			for i := range page.Items {
				nodes[page.Items[i].Name] = slim(&page.Items[i])
			}
		})
	if err == nil {
		f.mu.Lock()
		f.nodes = nodes
		f.mu.Unlock()
	}
	return version, err
}

// follow keeps the nodes until ctx ends, or an error that will not pass.
func (f *Followed) follow(ctx context.Context, version string) {
	for ctx.Err() == nil {
		err := f.watch(ctx, &version)
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			version, err = f.list(ctx)
			f.tell()
		}
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			f.mu.Lock()
			f.err = fmt.Errorf("cannot watch nodes: %w", err)
			f.mu.Unlock()
			f.tell()
			return
		}
		_ = wait.For(ctx, watchPause) // the loop looks at ctx
	}
}

// watch takes events over until the watch ends; version is that of the last one.
func (f *Followed) watch(ctx context.Context, version *string) error {
	events, err := f.client.Watch(ctx, metav1.ListOptions{LabelSelector: f.selector, ResourceVersion: *version, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		node, ok := event.Object.(*corev1.Node)
		if !ok {
			continue
		}
		*version = node.ResourceVersion
		if event.Type != watch.Bookmark && f.take(event.Type, slim(node)) {
			f.tell()
		}
	}
	return nil
}

// take takes a node over and tells whether a reader may see a change.
func (f *Followed) take(what watch.EventType, node *corev1.Node) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.nodes[node.Name]
	if what == watch.Deleted {
		delete(f.nodes, node.Name)
		return before != nil
	}
	f.nodes[node.Name] = node
	return before == nil || !reflect.DeepEqual(shown(before), shown(node))
}

func (f *Followed) tell() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// slim drops what nobody here reads and is most of a node.
func slim(n *corev1.Node) *corev1.Node {
	n.ManagedFields, n.Status.Images, n.Status.VolumesAttached, n.Status.VolumesInUse = nil, nil, nil, nil
	return n
}

// shown is what reports say of a node: not its heartbeats.
func shown(n *corev1.Node) []any {
	conditions := map[corev1.NodeConditionType]corev1.ConditionStatus{}
	for _, c := range n.Status.Conditions {
		conditions[c.Type] = c.Status
	}
	return []any{n.Labels, n.Spec, n.Status.NodeInfo, conditions}
}
