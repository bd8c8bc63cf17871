package cluster

import appsv1 "k8s.io/api/apps/v1"

// Idle says why a Deployment has no pod that works, or is "".
func Idle(d *appsv1.Deployment) string {
	name := d.Namespace + "/" + d.Name
	switch {
	case d.Spec.Replicas != nil && *d.Spec.Replicas == 0:
		return name + " is scaled to 0"
	case d.Status.AvailableReplicas > 0:
		return ""
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == "True" {
			return name + " cannot create pods: " + c.Message
		}
	}
	return name + " has no available pod"
}
