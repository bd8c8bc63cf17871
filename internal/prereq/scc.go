package prereq

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// sccUse is who needs OpenShift's security context constraint privileged.
type sccUse struct{ account, pods, remedy string }

// sccUses are those of a mode that nothing in the release grants.
func (t *Target) sccUses(namespace string) []sccUse {
	k := t.Values.Tap.KernelModule
	by := func(account string) string {
		return fmt.Sprintf("oc adm policy add-scc-to-user privileged -z %s -n %s", account, namespace)
	}
	var uses []sccUse
	if t.Mode == ModeKMM {
		account := orDefault(k.KMM.ServiceAccountName)
		uses = append(uses, sccUse{account, "KMM's worker pods", by(account)})
	}
	if ds, err := t.daemonSet(); err == nil && !k.OpenShift.SCC.Create && (t.Mode == ModeAuto || k.Metrics.Rings) {
		account := orDefault(ds.Spec.Template.Spec.ServiceAccountName)
		uses = append(uses, sccUse{account, "the agent's pods", "tap.kernelModule.openshift.scc.create, or " + by(account)})
	}
	return uses
}

func orDefault(account string) string {
	if account == "" {
		return "default"
	}
	return account
}

// namespaceSCC asks whether the pods' own service accounts may do on OpenShift
// what a dry run, made by whoever runs this, may.
func namespaceSCC(ctx context.Context, e *env) Finding {
	addons, err := e.addons(ctx)
	if err != nil {
		return unread("the API groups", err)
	}
	if !addons.OpenShift {
		return ok("this is not OpenShift")
	}
	var lines []string
	remedy, asked := "", 0
	for i := range e.Targets {
		for _, use := range e.Targets[i].sccUses(e.Namespace) {
			asked++
			allowed, err := e.mayUseSCC(ctx, use.account)
			switch {
			case apierrors.IsForbidden(err):
				return skip("no right to make localsubjectaccessreviews in " + e.Namespace)
			case err != nil:
				return unread("what service accounts may do", err)
			case !allowed:
				lines = append(lines, fmt.Sprintf("%s run as the service account %s", use.pods, use.account))
				remedy = use.remedy
			}
		}
	}
	if len(lines) > 0 {
		return warn("scc-not-bound", "no right to use the security context constraint privileged for "+text.CountOrNo(len(lines), "service account"),
			"Bind it, or one of your own that allows the same: "+remedy, lines...)
	}
	if asked == 0 {
		return ok("the chart brings its own Role")
	}
	return ok("the service accounts may use privileged")
}

func (e *env) mayUseSCC(ctx context.Context, account string) (bool, error) {
	return fact(e, "scc "+account, func() (bool, error) {
		c, err := e.client()
		if err != nil {
			return false, err
		}
		review := &authorizationv1.LocalSubjectAccessReview{
			ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace},
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User:   fmt.Sprintf("system:serviceaccount:%s:%s", e.Namespace, account),
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + e.Namespace, "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: e.Namespace, Verb: "use", Group: "security.openshift.io", Resource: "securitycontextconstraints", Name: "privileged",
				},
			},
		}
		review, err = c.auth.LocalSubjectAccessReviews(e.Namespace).Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		return review.Status.Allowed, nil
	})
}
