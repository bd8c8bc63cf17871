package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// Addons are what the API groups of a cluster tell of what is installed. That
// a group is served does not mean that its controller works.
type Addons struct {
	// Known is false when no cluster was asked.
	Known       bool `json:"known"`
	KMM         bool `json:"kmm"`
	CertManager bool `json:"certManager"`
	OpenShift   bool `json:"openShift"`
}

// ReadAddons asks the cluster of config for its API groups, in one request or
// two.
func ReadAddons(ctx context.Context, config *rest.Config) (Addons, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Addons{}, fmt.Errorf("making a client for the cluster: %w", err)
	}
	groups, err := client.ServerGroupsWithContext(ctx)
	if err != nil {
		return Addons{}, fmt.Errorf("listing the cluster's API groups: %w", err)
	}
	return addonsOf(groups), nil
}

func addonsOf(groups *metav1.APIGroupList) Addons {
	a := Addons{Known: true}
	for _, g := range groups.Groups {
		switch g.Name {
		case "kmm.sigs.x-k8s.io":
			a.KMM = true
		case "cert-manager.io":
			a.CertManager = true
		case "config.openshift.io":
			a.OpenShift = true
		}
	}
	return a
}
