package cluster

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// NodeLister lists Node objects; the core/v1 client of client-go is one.
type NodeLister interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.NodeList, error)
}

// NewNodeLister returns a lister for the cluster of config. It asks for
// protobuf, which costs a quarter of JSON for thousands of nodes.
func NewNodeLister(config *rest.Config) (NodeLister, error) {
	c := rest.CopyConfig(config)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := corev1client.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	return client.Nodes(), nil
}

// ListNodes reads all nodes that the label selector matches, page by page, and marks
// those as excluded that targets leave out. A list whose continuation has expired (410)
// is begun again, so that no node is missed or counted twice.
func ListNodes(ctx context.Context, lister NodeLister, selector string, targets Targets) ([]Node, error) {
	return MapNodes(ctx, lister, selector, func(n *corev1.Node) Node {
		node := FromObject(n)
		node.LeftOut = shared(targets.LeavesOut(n))
		node.Excluded = node.LeftOut != ""
		return node
	})
}

// MapNodes is ListNodes for what a caller takes from each Node object, which
// is gone with its page.
func MapNodes[T any](ctx context.Context, lister NodeLister, selector string, take func(*corev1.Node) T) ([]T, error) {
	var nodes []T
	_, err := Pages(ctx, "nodes", metav1.ListOptions{LabelSelector: selector}, lister.List, func() { nodes = nil }, func(page *corev1.NodeList) {
		nodes = slices.Grow(nodes, len(page.Items))
		for i := range page.Items {
			nodes = append(nodes, take(&page.Items[i]))
		}
	})
	if err != nil {
		return nil, err
	}
	return nodes, nil
}
