package supply_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// Each rule of the controller's rights is missing once. The controller names the
// verb and the resource, in its log and, where it can write it, in the status; it
// goes on by itself once the right is there. events are not among them: without,
// nothing is missing but Events.
func TestAMissingRightIsNamedAndTheControllerGoesOnOnceItIsGranted(t *testing.T) {
	t.Parallel()
	settings, err := supply.ParseConfig([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for i, rule := range supply.RoleRules(supply.NamesOf(release), release+"-agent", settings) {
		t.Run(fmt.Sprintf("%s %s %s", rule.Resources[0], rule.Verbs[0], strings.Join(rule.ResourceNames, " ")), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, "", "6.1.0-18-amd64")
			account := b.account(t)
			role := b.without(t, func(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule { return append(rules[:i:i], rules[i+1:]...) })
			b.start(t, account)
			says := "cannot " + rule.Verbs[0] + " " + rule.Resources[0]
			if rule.Verbs[0] == "get" && len(rule.Verbs) > 1 && rule.Verbs[1] == "list" {
				says = "cannot list " + rule.Resources[0]
			}
			b.says(t, says)
			if rule.Resources[0] == "events" {
				b.status(t, "the kernel to be built all the same", allOf(supply.Built, 1))
			}
			role()
			b.status(t, "the kernel to be built", fine(1))
			b.loaded(t, 1)
			if b.built() != 1 {
				t.Errorf("%d builds", b.built())
			}
		})
	}
	t.Run("nodes", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, "", "6.1.0-18-amd64")
		account := b.account(t)
		api := cluster.Client.RbacV1().ClusterRoles()
		role, err := api.Get(t.Context(), "controller-"+b.namespace, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		whole := role.Rules
		role.Rules = nil
		if role, err = api.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		b.start(t, account)
		b.says(t, "cannot list nodes, watch nodes")
		role.Rules = whole
		if _, err := api.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		b.status(t, "the kernel to be built", fine(1))
	})
}

// without changes the rules of the Role, until whole is called.
func (b *bed) without(t *testing.T, change func([]rbacv1.PolicyRule) []rbacv1.PolicyRule) (whole func()) {
	t.Helper()
	api := cluster.Client.RbacV1().Roles(b.namespace)
	role, err := api.Get(t.Context(), "controller-"+b.namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := role.Rules
	role.Rules = change(role.Rules)
	if role, err = api.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		role.Rules = before
		if _, err := api.Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// says waits until the controller has logged a text.
func (b *bed) says(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the controller to say "+text, func(context.Context) (bool, error) { return strings.Contains(b.out.text(), text), nil })
	if err != nil {
		t.Fatalf("%v:\n%s", err, b.out.text())
	}
}
