package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func permissionChecks() []Check {
	needs := []string{"api.reachable"}
	return []Check{
		{
			ID: "permissions.read", Title: "you may read what these checks read", Needs: needs,
			Why:  "What cannot be read cannot be checked.",
			look: mayRead,
		},
		{
			ID: "permissions.install", Title: "you may install the chart", Needs: needs,
			Why:  "Helm stops half way if you may not create one of the objects.",
			look: mayInstall,
		},
	}
}

// right is something that may be allowed: a verb on a resource, in a namespace
// or, with "", in the whole cluster.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	s := r.verb + " " + r.resource
	if r.group != "" {
		s += "." + r.group
	}
	if r.namespace == "" {
		return s + " (cluster)"
	}
	return s + " in " + r.namespace
}

func mayRead(ctx context.Context, e *env) Finding {
	rights := []right{
		{"list", "", "nodes", ""}, {"get", "", "namespaces", ""},
		{"list", "apps", "daemonsets", ""}, {"list", "", "resourcequotas", e.Namespace},
	}
	if e.target(ModeAuto) != nil {
		rights = append(rights, right{"list", "networking.k8s.io", "networkpolicies", e.Namespace})
	}
	if e.target(ModeKMM) != nil {
		rights = append(rights,
			right{"get", "apiextensions.k8s.io", "customresourcedefinitions", ""}, right{"list", "apps", "deployments", ""},
			right{"list", "admissionregistration.k8s.io", "validatingwebhookconfigurations", ""},
			right{"list", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""},
		)
	}
	return e.review(ctx, rights, "missing-read-rights", warn,
		"Ask for the ClusterRole pfring-prereq (deploy/rbac); without it some checks fail or are skipped.")
}

func mayInstall(ctx context.Context, e *env) Finding {
	var rights []right
	// Helm keeps its releases in Secrets.
	for _, v := range []string{"create", "get", "list", "update", "delete"} {
		rights = append(rights, right{v, "", "secrets", e.Namespace})
	}
	for _, t := range e.Targets {
		for _, o := range t.Objects {
			gvr, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
			namespace := o.GetNamespace()
			if namespace == "" && !strings.HasPrefix(o.GetKind(), "Cluster") {
				namespace = e.Namespace
			}
			for _, v := range []string{"create", "get", "patch", "delete"} {
				rights = append(rights, right{v, gvr.Group, gvr.Resource, namespace})
			}
			rights = append(rights, granted(o, namespace)...)
		}
	}
	return e.review(ctx, distinct(rights), "missing-install-rights", fail,
		"Have a cluster administrator bind the ClusterRoles pfring-install in this namespace and pfring-install-cluster in the cluster (deploy/rbac) to you, or install for you.")
}

// granted are the rights that a Role or ClusterRole grants: the API server lets
// nobody grant what they do not have.
func granted(o *unstructured.Unstructured, namespace string) []right {
	if kind := o.GetKind(); kind != "Role" && kind != "ClusterRole" {
		return nil
	}
	var role rbacv1.ClusterRole
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
		return nil // the dry run of the object says what is wrong with it
	}
	var rights []right
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, right{verb, group, resource, namespace})
				}
			}
		}
	}
	return rights
}

// distinct keeps the first of rights that are alike.
func distinct(rights []right) []right {
	var list []right
	for _, r := range rights {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

// review asks the API server which of the rights the caller lacks: by the list
// of all rules where that is complete, else one by one for what it does not
// show.
func (e *env) review(ctx context.Context, rights []right, reason string, finding func(reason, observed, remedy string, details ...string) Finding, remedy string) Finding {
	rules, err := e.rules(ctx)
	if err != nil {
		return unread("your own permissions", err)
	}
	var missing []string
	everything := false
	if rules.Incomplete {
		// One question instead of dozens, where an authorizer that shows no rules
		// knows the caller as an administrator.
		if everything, err = e.reviewOne(ctx, right{"*", "*", "*", e.Namespace}); err != nil {
			return unread("your own permissions", err)
		}
	}
	for _, r := range rights {
		// The rules are those of the namespace, where even an administrator of
		// nothing else may have them all.
		allowed := r.namespace == e.Namespace && (everything || allows(rules.ResourceRules, r))
		if !allowed && (rules.Incomplete || r.namespace != e.Namespace) {
			if allowed, err = e.reviewOne(ctx, r); err != nil {
				return unread("your own permissions", err)
			}
		}
		if !allowed {
			missing = append(missing, r.String())
		}
	}
	if len(missing) > 0 {
		return finding(reason, fmt.Sprintf("%d of %d rights are missing", len(missing), len(rights)), remedy, missing...)
	}
	return ok(fmt.Sprintf("you have all %d rights", len(rights)))
}

func (e *env) rules(ctx context.Context) (authorizationv1.SubjectRulesReviewStatus, error) {
	return fact(e, "rules", func() (authorizationv1.SubjectRulesReviewStatus, error) {
		c, err := e.client()
		if err != nil {
			return authorizationv1.SubjectRulesReviewStatus{}, err
		}
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: e.Namespace}}
		review, err = c.auth.SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return authorizationv1.SubjectRulesReviewStatus{}, err
		}
		return review.Status, nil
	})
}

func (e *env) reviewOne(ctx context.Context, r right) (bool, error) {
	return fact(e, "right "+r.String(), func() (bool, error) {
		c, err := e.client()
		if err != nil {
			return false, err
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: r.namespace, Verb: r.verb, Group: r.group, Resource: r.resource},
		}}
		review, err = c.auth.SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		return review.Status.Allowed, nil
	})
}

func allows(rules []authorizationv1.ResourceRule, want right) bool {
	return slices.ContainsFunc(rules, func(rule authorizationv1.ResourceRule) bool {
		return len(rule.ResourceNames) == 0 && has(rule.Verbs, want.verb) && has(rule.APIGroups, want.group) && has(rule.Resources, want.resource)
	})
}

func has(list []string, want string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.EqualFold(s, want) })
}
