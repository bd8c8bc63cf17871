package kube

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Objects names everything in a namespace, as resource/name, but for events and
// what Kubernetes itself puts there.
func (c *Cluster) Objects(ctx context.Context, namespace string) ([]string, error) {
	lists, err := c.Client.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		return nil, fmt.Errorf("asking what the API has: %w", err)
	}
	own := []string{"configmaps/kube-root-ca.crt", "serviceaccounts/default"}
	var names []string
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Name == "events" || resource.Name == "endpoints" {
				continue
			}
			found, err := c.Dynamic.Resource(version.WithResource(resource.Name)).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("listing %s: %w", resource.Name, err)
			}
			for _, item := range found.Items {
				if name := resource.Name + "/" + item.GetName(); !slices.Contains(own, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names, nil
}
