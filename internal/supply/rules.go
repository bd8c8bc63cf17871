package supply

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// RoleRules are the rights that the controller needs in the release's
// namespace, and ClusterRules those beyond it. The chart's Role and ClusterRole
// are exactly these.
//
// Making ConfigMaps, Secrets and Leases cannot be restricted to names, since an
// object that is made has none yet for the API server to check.
func RoleRules(n Names, daemonSet string, c *Config) []rbacv1.PolicyRule {
	secrets := []string{n.Key, n.CA}
	if name := c.Supply.SigningKeySecret; name != "" {
		secrets = append(secrets, name)
		slices.Sort(secrets[2:])
	}
	rules := []rbacv1.PolicyRule{
		rule("batch", []string{"jobs"}, nil, "get", "list", "watch", "create", "delete"),
		rule("", []string{"pods"}, nil, "get", "list", "watch", "delete"),
		rule("", []string{"pods/log"}, nil, "get"),
		rule("", []string{"configmaps"}, nil, "get", "list", "watch", "create", "update", "delete"),
		rule("", []string{"secrets"}, nil, "create"),
		rule("", []string{"secrets"}, secrets, "get", "update"),
		rule("", []string{"events"}, nil, "list"),
		rule("", []string{"events"}, nil, "create", "patch"),
		rule("events.k8s.io", []string{"events"}, nil, "create", "patch"),
		rule("coordination.k8s.io", []string{"leases"}, nil, "create"),
		rule("coordination.k8s.io", []string{"leases"}, []string{n.Lease}, "get", "update"),
		rule("apps", []string{"daemonsets"}, nil, "list", "watch"),
		rule("apps", []string{"daemonsets"}, []string{daemonSet}, "get"),
		rule("apps", []string{"deployments"}, []string{n.Controller}, "get"),
	}
	return rules
}

// ClusterRules are described at RoleRules.
func ClusterRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{rule("", []string{"nodes"}, nil, "get", "list", "watch")}
}

func rule(group string, resources, names []string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, ResourceNames: names, Verbs: verbs}
}
