package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

const (
	// rightsAgain is how soon missing rights are asked for again.
	rightsAgain = 10 * time.Second
	// rightsAwait is how soon those are that nothing works without.
	rightsAwait = 2 * time.Second
	// rightsRemedy says what to do about them.
	rightsRemedy = "Give the controller's service account the rights of the chart's Role and ClusterRole (docs/supply.md, Rights): helm upgrade creates them again."
)

// rights asks what the controller's own account may do.
type rights struct {
	client client.Client
	o      Options
	// lacks are the rights that were missing when they were asked for last, doubt
	// that something has been forbidden since.
	lacks []string
	at    time.Time
	doubt bool
}

// right is one verb on one resource.
type right struct {
	authorizationv1.ResourceAttributes
}

// String is what the account cannot do: list nodes.
func (r right) String() string {
	text := r.Verb + " " + r.Resource
	if r.Subresource != "" {
		text += "/" + r.Subresource
	}
	if r.Group != "" {
		text += "." + r.Group
	}
	if r.Name != "" {
		text += " " + r.Name
	}
	if r.Namespace != "" {
		text += " in namespace " + r.Namespace
	}
	return text
}

// needed are all rights.
func (r *rights) needed() []right {
	all := rightsOf(supply.ClusterRules(), "")
	return append(all, rightsOf(supply.RoleRules(r.o.names(), r.o.DaemonSet, r.o.Config), r.o.Namespace)...)
}

func rightsOf(rules []rbacv1.PolicyRule, namespace string) []right {
	var all []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		resource, sub, _ := strings.Cut(rule.Resources[0], "/")
		for _, name := range names {
			for _, verb := range rule.Verbs {
				all = append(all, right{authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: verb, Group: rule.APIGroups[0], Resource: resource, Subresource: sub, Name: name,
				}})
			}
		}
	}
	return all
}

// vital are those without which the controller cannot start: what it watches, and
// its Lease. The other ones it reports when it runs.
func vital(r right) bool {
	return r.Verb == "list" && r.Resource != "events" || r.Verb == "watch" || r.Resource == "leases" || r.Resource == "deployments"
}

// missing asks the API server for each right. What cannot be asked counts as
// there.
func (r *rights) missing(ctx context.Context, of func(right) bool) ([]string, error) {
	var lacks []string
	for _, needed := range r.needed() {
		if !of(needed) {
			continue
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &needed.ResourceAttributes}}
		if err := r.client.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("cannot ask for the controller's rights: %w", err)
		}
		if !review.Status.Allowed {
			lacks = append(lacks, needed.String())
		}
	}
	return lacks, nil
}

// await returns once the account has the rights without which nothing works, and
// says which ones it waits for.
func (r *rights) await(ctx context.Context, say func(text string)) error {
	for said := ""; ; {
		lacks, err := r.missing(ctx, vital)
		text := missingRights(lacks)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			text = err.Error()
		case len(lacks) == 0:
			return nil
		}
		if text != said {
			say(text)
			said = text
		}
		if err := wait.For(ctx, rightsAwait); err != nil {
			return err
		}
	}
}

func missingRights(lacks []string) string {
	return "the controller's service account cannot " + strings.Join(lacks, ", ")
}

// seeRights reports the rights that are missing. They are asked for at the start,
// when something was forbidden, and again while some are missing.
func (r *reconciler) seeRights(ctx context.Context, l *look) {
	a := r.rights
	pause := rightsAgain
	if len(a.lacks) == 0 && !a.doubt {
		pause = time.Hour
	}
	if a.at.IsZero() || !l.now.Before(a.at.Add(pause)) {
		if lacks, err := a.missing(ctx, func(right) bool { return true }); err == nil {
			slices.Sort(lacks)
			a.lacks, a.at, a.doubt = lacks, l.now, false
		}
	}
	if len(a.lacks) > 0 {
		l.problem(supply.NotAllowed, rightsRemedy, "%s", missingRights(a.lacks))
	}
}

// nextLook is when to look again; zero if nothing is missing.
func (r *rights) nextLook() time.Time {
	if len(r.lacks) == 0 && !r.doubt {
		return time.Time{}
	}
	return r.at.Add(rightsAgain)
}

// isForbidden looks into joined errors too.
func isForbidden(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(several.Unwrap(), isForbidden)
	}
	return apierrors.IsForbidden(err)
}

// hold tells whether builds would be in vain for want of rights.
func (r *rights) hold() bool {
	return slices.ContainsFunc(r.lacks, func(text string) bool {
		return strings.Contains(text, " jobs") || strings.Contains(text, " pods/log") || strings.Contains(text, " configmaps")
	})
}

// withoutRights says what is missing where it has kept the controller from
// seeing anything else, as far as the status can be written.
func (r *reconciler) withoutRights(ctx context.Context, l *look) error {
	if l.status == nil {
		return nil
	}
	s := *l.status
	s.Problems = l.problems
	return r.saveStatus(ctx, l, s)
}
