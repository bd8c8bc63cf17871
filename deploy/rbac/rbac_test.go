package rbac_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/deploy/rbac"
)

// The role that is named is the command's own, else the one that goes with it, and not
// one of another command that can do more.
func TestARightIsGrantedByTheRoleOfTheCommand(t *testing.T) {
	for _, test := range []struct{ command, verb, group, resource, want string }{
		{"status", "list", "apps", "daemonsets", "pfring-status"},
		{"retry", "list", "apps", "daemonsets", "pfring-status"},
		{"retry", "delete", "", "pods", "pfring-retry"},
		{"module build", "list", "", "nodes", "pfring-compatibility"},
		{"module build", "create", "batch", "jobs", "pfring-build"},
		{"plan", "list", "", "nodes", "pfring-compatibility"},
		{"diff", "list", "", "secrets", "pfring-diff"},
		{"diff", "list", "", "nodes", "pfring-compatibility"},
		{"inject", "patch", "apps", "daemonsets", "pfring-inject"},
		{"prereq check", "list", "", "nodes", "pfring-prereq"},
	} {
		role, ok := rbac.For(test.command, test.verb, test.group, test.resource)
		if !ok || role.Name != test.want {
			t.Errorf("%s, %s %s: %s, want %s", test.command, test.verb, test.resource, role.Name, test.want)
		}
	}
	if role, ok := rbac.For("status", "create", "", "nodes"); ok {
		t.Errorf("%s creates nodes", role.Name)
	}
}
