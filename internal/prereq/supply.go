package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/builds"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func supplyChecks() []Check {
	exists := []string{"namespace.exists"}
	return []Check{
		{
			ID: "supply.kernels", Mode: ModeAuto, supplying: true, Title: "the cluster has built or can build a module for each kernel", Needs: []string{"nodes.selected"},
			Why:  "Nodes whose kernel has no module in the source and cannot get one built stay on libpcap.",
			look: supplyKernels,
		},
		{
			ID: "supply.admits", Mode: ModeAuto, supplying: true, Title: "the namespace admits a build", Needs: exists,
			Why:  "A Job whose pod is refused by Pod Security, a quota or a webhook builds nothing.",
			look: supplyAdmits,
		},
		{
			ID: "supply.rights", Mode: ModeAuto, supplying: true, Title: "the controller's service account has its rights", Needs: exists,
			Why:  "Without them it cannot build, store or retry. A policy of the cluster may have removed them.",
			look: supplyRights,
		},
		{
			ID: "supply.store", Mode: ModeAuto, supplying: true, Title: "the store has room", Needs: exists,
			Why:  "A module that cannot be stored is not served.",
			look: supplyStore,
		},
		{
			ID: "supply.controller", Mode: ModeAuto, supplying: true, Title: "the controller runs and reports no problem", Needs: exists,
			Why: "A problem of the controller keeps nodes with a new kernel on libpcap.", Settles: true,
			look: supplyController,
		},
	}
}

// supplied are the values of auto mode, and whether the cluster builds by them.
func (e *env) supplied() (valuesschema.KernelModule, bool) {
	k := e.target(ModeAuto).Values.Tap.KernelModule
	return k, k.Supplied()
}

// supplyNames are the names of the controller's objects by these values.
func (e *env) supplyNames() supply.Names {
	k, _ := e.supplied()
	return supply.NamesWith(e.Release, supply.PrefixFor(e.Release, k))
}

const notSupplied = "supply is off: modules come from source.url"

// supplyStatus is what the controller says, nil where there is none yet.
func (e *env) supplyStatus(ctx context.Context) (*supply.Status, error) {
	return fact(e, "supply status", func() (*supply.Status, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		status, err := supply.ReadStatus(ctx, c.core.ConfigMaps(e.Namespace), e.supplyNames())
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return status, err
	})
}

// unseen is a finding where an object of the namespace could not be read: the
// right to is in a role of its own.
func unseen(what string, err error) Finding {
	if apierrors.IsForbidden(err) {
		return skip("no right to read " + what + "; the ClusterRole pfring-prereq-references (deploy/rbac) grants it")
	}
	return unread(what, err)
}

func supplyKernels(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	report, failed := e.judged(ctx, k)
	if failed != nil {
		// The source cannot be read, and what is built needs none.
		if report, failed = e.judgedWithout(ctx, k); failed != nil {
			return *failed
		}
	}
	var list, remedies []string
	kernels := map[string]bool{}
	for _, n := range report.Nodes {
		name := n.Kernel + " " + n.Arch
		if kernels[name] || !n.Supported.Good() && n.Supported != verdict.CannotBeBuilt {
			continue
		}
		kernels[name] = true
		if n.Supported == verdict.CannotBeBuilt {
			list, remedies = append(list, fmt.Sprintf("%s, %s: %s", name, n.OS, n.Message)), append(remedies, n.Remedy)
		}
	}
	if len(list) == 0 {
		return ok(text.Count(len(kernels), "kernel"))
	}
	remedy := remedies[0]
	if slices.ContainsFunc(remedies, func(r string) bool { return r != remedy }) {
		for i := range list {
			list[i] += " " + remedies[i]
		}
		remedy = "Follow the advice for each kernel."
	}
	return warn("cannot-be-built", fmt.Sprintf("%d of %s cannot be built; their nodes stay on libpcap", len(list), text.Count(len(kernels), "kernel")), remedy, list...)
}

// supplyAdmits tries a build's Job and its pod, each by a dry run. The Job alone
// would say too little: Pod Security, LimitRanges and most quotas and policies
// look at the pod, which is made later, by the Job controller. The pod alone
// would not show a quota of Jobs, nor a policy about them.
func supplyAdmits(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	job, err := e.exampleJob(ctx, k)
	if err != nil {
		return fail("invalid-builder", err.Error(), "Correct tap.kernelModule.supply.builder.")
	}
	remedies := admission{
		quota:    "Raise the ResourceQuota, or free some of it; supply.builder.resources says what a build asks for, and supply.parallel how many run at a time.",
		priority: "Look at the PriorityClasses of the cluster.",
	}
	jobs, err := batchv1client.NewForConfig(e.Config)
	if err != nil {
		return unread("the namespace", err)
	}
	_, err = jobs.Jobs(e.Namespace).Create(ctx, job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	ofJob := e.admitted(err, "a build's Job", "jobs", remedies)
	if ofJob.Result == Error {
		return ofJob
	}
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	pod.Namespace, pod.GenerateName = e.Namespace, "pfring-build-"
	c, err := e.client()
	if err != nil {
		return unread("the namespace", err)
	}
	_, err = c.core.Pods(e.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	ofPod := e.admitted(err, "a build's pod", "pods", remedies)
	if ofPod.Result == OK && ofJob.Result == Skipped {
		ofPod.Details = append(ofPod.Details, ofJob.Observed)
	}
	return ofPod
}

// exampleJob is a build for a kernel of the nodes, or of an example where none is
// seen.
func (e *env) exampleJob(ctx context.Context, k valuesschema.KernelModule) (*batchv1.Job, error) {
	c := &supply.Config{Supply: k.Supply}
	settings, err := builds.Settings(c, e.Namespace, e.supplyNames())
	if err != nil {
		return nil, err
	}
	target := build.Target{Kernel: "6.1.0-1-amd64", Arch: "amd64", Recipe: build.Recipes()[0]}
	if nodes, err := e.selectedNodes(ctx); err == nil {
		for i := range nodes {
			if r, err := build.RecipeForNode(nodes[i].Node); err == nil && build.ValidRelease(nodes[i].Kernel) {
				target = build.Target{Kernel: nodes[i].Kernel, Arch: nodes[i].Arch, OSImage: nodes[i].OSImage, Recipe: r}
				break
			}
		}
	}
	version := k.Supply.PFRingVersion
	if version == "" {
		version = build.VersionFor(target.Kernel).Version
	}
	if settings.Source, err = builds.Source(c, version); err != nil {
		return nil, err
	}
	return settings.Job(builds.Target(c, target), "dry-run", build.DefaultMark, 0), nil
}

// supplyRights asks what the controller's account may do, once it is there.
func supplyRights(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	c, err := e.client()
	if err != nil {
		return unread("the controller's rights", err)
	}
	account := e.supplyNames().Controller
	if _, err := c.core.ServiceAccounts(e.Namespace).Get(ctx, account, metav1.GetOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return skip("the chart grants them when it is installed")
		}
		return unseen("the service account "+account, err)
	}
	daemonSet, err := e.target(ModeAuto).daemonSet()
	if err != nil {
		return skip(err.Error())
	}
	a := accountRights{user: "system:serviceaccount:" + e.Namespace + ":" + account, namespace: e.Namespace, auth: c.auth}
	if err := a.ask(ctx, supply.RoleRules(e.supplyNames(), daemonSet.Name, &supply.Config{Supply: k.Supply})); apierrors.IsForbidden(err) {
		return skip("no right to check the rights of another account (localsubjectaccessreviews)")
	} else if err != nil {
		return unread("the controller's rights", err)
	}
	var notes []string
	a.namespace = ""
	if err := a.ask(ctx, supply.ClusterRules()); apierrors.IsForbidden(err) {
		notes = append(notes, "not asked: whether it may list nodes (subjectaccessreviews)")
	} else if err != nil {
		return unread("the controller's rights", err)
	}
	missing, asked := a.missing, a.asked
	if len(missing) > 0 {
		return fail("missing-controller-rights", fmt.Sprintf("%d of %d rights are missing", len(missing), asked),
			"Install the chart's Role and RoleBinding "+account+" again with helm upgrade, and find out what changed them.", missing...)
	}
	return ok(fmt.Sprintf("you have all %d rights", asked), notes...)
}

// accountRights asks what a service account may do; with a namespace there, else
// in the whole cluster.
type accountRights struct {
	user, namespace string
	auth            authorizationv1client.AuthorizationV1Interface
	asked           int
	missing         []string
}

func (a *accountRights) ask(ctx context.Context, rules []rbacv1.PolicyRule) error {
	for _, rule := range rules {
		for _, name := range append(slices.Clone(rule.ResourceNames), "")[:max(1, len(rule.ResourceNames))] {
			for _, verb := range rule.Verbs {
				resource, sub, _ := strings.Cut(rule.Resources[0], "/")
				allowed, err := a.allowed(ctx, &authorizationv1.ResourceAttributes{
					Namespace: a.namespace, Verb: verb, Group: rule.APIGroups[0], Resource: resource, Subresource: sub, Name: name,
				})
				if err != nil {
					return err
				}
				a.asked++
				if !allowed {
					a.missing = append(a.missing, (right{verb, rule.APIGroups[0], rule.Resources[0], a.namespace}).String())
				}
			}
		}
	}
	return nil
}

func (a *accountRights) allowed(ctx context.Context, what *authorizationv1.ResourceAttributes) (bool, error) {
	spec := authorizationv1.SubjectAccessReviewSpec{User: a.user, ResourceAttributes: what}
	if a.namespace == "" {
		answer, err := a.auth.SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	}
	review := &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace}, Spec: spec}
	answer, err := a.auth.LocalSubjectAccessReviews(a.namespace).Create(ctx, review, metav1.CreateOptions{})
	return err == nil && answer.Status.Allowed, err
}

func supplyController(ctx context.Context, e *env) Finding {
	if _, on := e.supplied(); !on {
		return skip(notSupplied)
	}
	status, err := e.supplyStatus(ctx)
	if err != nil {
		return unseen("what the controller says", err)
	}
	if status == nil {
		return skip("it is not installed, or has not reported anything yet: kubectl -n " + e.Namespace + " get deployment " + e.supplyNames().Controller)
	}
	if len(status.Problems) > 0 {
		first := status.Problems[0]
		var more []string
		for _, p := range status.Problems[1:] {
			more = append(more, string(p.Reason)+": "+p.Message)
		}
		return fail(string(first.Reason), first.Message, first.Remedy, more...)
	}
	return ok(fmt.Sprintf("it serves %s, serial %d", text.Count(status.Index.Modules, "module"), status.Index.Serial))
}
