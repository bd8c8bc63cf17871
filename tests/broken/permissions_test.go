package broken_test

import (
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// rules are those of the roles that are shipped for the checks and for
// installing, without one right.
func rules(t *testing.T, verb, group, resource string) []rbacv1.PolicyRule {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	var all []rbacv1.PolicyRule
	for _, name := range []string{"prereq", "prereq-dry-run", "prereq-references", "install"} {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "rbac", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		role := rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(text, &role); err != nil {
			t.Fatal(err)
		}
		all = append(all, role.Rules...)
	}
	// Split, so that one right can be left out.
	var split []rbacv1.PolicyRule
	for _, r := range all {
		for _, g := range r.APIGroups {
			for _, res := range r.Resources {
				for _, v := range r.Verbs {
					if v != verb || g != group || res != resource {
						split = append(split, rbacv1.PolicyRule{APIGroups: []string{g}, Resources: []string{res}, Verbs: []string{v}})
					}
				}
			}
		}
	}
	return split
}

// user makes somebody with these rules everywhere, and returns a kubeconfig.
func user(t *testing.T, name string, rules []rbacv1.PolicyRule) string {
	t.Helper()
	kubeconfig, err := shared.WriteKubeconfig(name, pkix.Name{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	var plain []any
	for _, r := range rules {
		plain = append(plain, object{"apiGroups": []any{r.APIGroups[0]}, "resources": []any{r.Resources[0]}, "verbs": []any{r.Verbs[0]}})
	}
	list := []*unstructured.Unstructured{
		{Object: object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": name}, "rules": plain}},
		{Object: object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": name},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
			"subjects": []any{object{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}},
		}},
	}
	applyAll(t, list)
	t.Cleanup(func() { removeAll(t, list) })
	return kubeconfig
}

func TestARightThatIsMissingIsToldByWhatItIsFor(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	secret(t, where, "pull", "kubernetes.io/dockerconfigjson", map[string]string{".dockerconfigjson": shared.images.dockerConfig(password)})
	const (
		read    = "permissions.read warning missing-read-rights"
		install = "permissions.install error missing-install-rights"
	)
	for i, c := range []struct {
		verb, group, resource string
		want                  []string
		// skipped are checks that say that they were not looked at.
		skipped []string
	}{
		{"", "", "", nil, nil},
		{"list", "", "nodes", []string{read, "nodes.selected error forbidden"}, []string{
			"nodes.ready", "nodes.taints", "nodes.platform", "nodes.overlap", "namespace.quota", "mappings.kernels", "mappings.images-present",
			"mappings.images-arch", "mappings.images-module", "mappings.images-depmod", "mappings.images-shell",
		}},
		{"get", "", "namespaces", []string{read, "namespace.exists error forbidden"}, []string{
			"namespace.admits-kmm", "namespace.admits-kmm-workers", "namespace.quota", "namespace.scc", "references.pull-secrets",
			"references.service-accounts", "references.build", "references.sign", "kmm.module",
		}},
		{"list", "", "resourcequotas", []string{read, "namespace.quota error forbidden"}, nil},
		{"get", "apiextensions.k8s.io", "customresourcedefinitions", []string{read, "cert-manager.definitions error forbidden", "kmm.definitions error forbidden"}, []string{
			"cert-manager.controllers", "cert-manager.version", "cert-manager.ca-injected", "cert-manager.webhook",
			"kmm.version", "kmm.controller", "kmm.webhook", "kmm.certificate", "kmm.module",
		}},
		{"list", "apps", "deployments", []string{read, "cert-manager.controllers error forbidden", "kmm.controller error forbidden"}, []string{"cert-manager.version", "kmm.certificate"}},
		{"list", "admissionregistration.k8s.io", "validatingwebhookconfigurations", []string{read, "cert-manager.ca-injected error forbidden", "kmm.certificate error forbidden"}, nil},
		{"list", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", []string{read, "cert-manager.ca-injected error forbidden", "kmm.certificate error forbidden"}, nil},
		{"list", "cert-manager.io", "certificates", nil, []string{"kmm.certificate"}},
		{"create", "", "pods", nil, []string{"namespace.admits-kmm", "namespace.admits-kmm-workers"}},
		{"create", "cert-manager.io", "certificaterequests", nil, []string{"cert-manager.webhook"}},
		{"create", "kmm.sigs.x-k8s.io", "modules", []string{install}, []string{"kmm.webhook", "kmm.module"}},
		{"delete", "apps", "daemonsets", []string{install}, nil},
		{"create", "", "serviceaccounts", []string{install}, nil},
		{"update", "", "secrets", []string{install}, nil},
		{"get", "", "secrets", []string{install}, []string{"references.pull-secrets"}},
	} {
		t.Run(fmt.Sprintf("no %s %s", c.verb, c.resource), func(t *testing.T) {
			kubeconfig := user(t, fmt.Sprintf("lacks-%d", i), rules(t, c.verb, c.group, c.resource))
			report := attempt{mode: "kmm", namespace: where, kubeconfig: kubeconfig, kernelModule: object{"imageRepoSecret": "pull"}}.finds(t, c.want...)
			if got := skips(report); !slices.Equal(got, c.skipped) {
				t.Errorf("not looked at: %v, want %v", got, c.skipped)
			}
		})
	}
	t.Run("no right at all", func(t *testing.T) {
		kubeconfig := user(t, "nobody", nil)
		attempt{mode: "auto", namespace: where, kubeconfig: kubeconfig}.finds(t, read, install, "nodes.selected error forbidden", "nodes.capture error forbidden", "namespace.exists error forbidden")
	})
}
