package kmm

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
)

// OperatorSelector selects KMM's Deployments where they bear its labels. From
// config/default, 2.0 to 2.7.
const OperatorSelector = "app.kubernetes.io/name=kmm"

// Namespaces are those into which KMM is usually installed: by kustomize, on
// OpenShift, by OLM. From config/default and docs, 2.0 to 2.7.
func Namespaces() []string { return []string{"kmm-operator-system", "openshift-kmm", "operators"} }

// Operator picks KMM's controller and webhook from a list of Deployments; nil is
// not there. The webhook has a Deployment of its own since 2.1. From
// config/manager-base and config/webhook-server, 2.0 to 2.7.
func Operator(list []appsv1.Deployment) (controller, webhook *appsv1.Deployment) {
	for i := range list {
		d := &list[i]
		is := func(label, name string) bool {
			return d.Labels["control-plane"] == label || d.Labels["app.kubernetes.io/component"] == label || strings.HasPrefix(d.Name, name)
		}
		switch {
		case is("webhook-server", "kmm-operator-webhook"):
			webhook = d
		case is("controller", "kmm-operator-controller"), is("controller-manager", "kmm-operator-controller"):
			controller = d
		}
	}
	return controller, webhook
}
