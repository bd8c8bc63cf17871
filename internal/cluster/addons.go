package cluster

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"
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
	// KMMRuns is yes where a controller of KMM is available, no where none is, and
	// unknown where that could not be read; "" where KMM's API is not there.
	KMMRuns string `json:"kmmRuns,omitempty"`
	// Kubernetes is the API server's version, "" where it is not known.
	Kubernetes string `json:"kubernetes,omitempty"`
}

// OldestKubernetes is the oldest version that the chart (its kubeVersion) and KMM 2.4
// run on.
const OldestKubernetes = "1.25"

// TooOld tells whether a version is older; one that is none of Kubernetes' is not.
func TooOld(kubernetes string) bool {
	v, err := version.ParseGeneric(kubernetes)
	return err == nil && v.LessThan(version.MustParseGeneric(OldestKubernetes))
}

// ReadAddons asks the cluster of config for its API groups and its version, in a few
// requests.
func ReadAddons(ctx context.Context, config *rest.Config) (Addons, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Addons{}, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	groups, err := client.ServerGroupsWithContext(ctx)
	if err != nil {
		return Addons{}, fmt.Errorf("cannot list the cluster's API groups: %w", err)
	}
	addons := addonsOf(groups)
	// Who may list the groups may read the version; without it nothing is said of it.
	if v, err := client.ServerVersionWithContext(ctx); err == nil {
		addons.Kubernetes = v.GitVersion
	}
	if addons.KMM {
		addons.KMMRuns = kmmRuns(ctx, config)
	}
	return addons, nil
}

// kmmRuns looks for an available Deployment of KMM's controller in all namespaces:
// upstream, OLM and OpenShift install it into different ones.
func kmmRuns(ctx context.Context, config *rest.Config) string {
	client, err := appsv1client.NewForConfig(config)
	if err != nil {
		return "unknown"
	}
	list, err := client.Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=kmm", Limit: pageSize})
	if err != nil {
		return "unknown"
	}
	for i := range list.Items {
		d := &list.Items[i]
		if d.Status.AvailableReplicas > 0 && !strings.Contains(d.Name, "webhook") {
			return "yes"
		}
	}
	return "no"
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
