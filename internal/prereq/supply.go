package prereq

import (
	"context"
	"fmt"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// maxStored is how many modules the controller keeps in ConfigMaps.
const maxStored = 64

func supplyChecks() []Check {
	exists := []string{"namespace.exists"}
	return []Check{
		{
			ID: "supply.kernels", Mode: ModeAuto, supplying: true, Title: "the cluster has built or can build a module for each kernel", Needs: []string{"nodes.selected"},
			Why:  "A kernel for which nothing can be built, and which no source has, leaves its nodes on libpcap.",
			look: supplyKernels,
		},
		{
			ID: "supply.admits", Mode: ModeAuto, supplying: true, Title: "the namespace admits a build", Needs: exists,
			Why:  "A Job whose pod is refused by Pod Security, a quota or a webhook builds nothing.",
			look: supplyAdmits,
		},
		{
			ID: "supply.rights", Mode: ModeAuto, supplying: true, Title: "the controller's account has its rights", Needs: exists,
			Why:  "Without them it builds, keeps or retries nothing. A policy of the cluster may have taken them away.",
			look: supplyRights,
		},
		{
			ID: "supply.store", Mode: ModeAuto, supplying: true, Title: "the store has room", Needs: exists,
			Why:  "A module that cannot be kept is not served.",
			look: supplyStore,
		},
		{
			ID: "supply.controller", Mode: ModeAuto, supplying: true, Title: "the controller runs and reports no problem", Needs: exists,
			Why: "What keeps the controller from its work keeps every new kernel on libpcap.", Settles: true,
			look: supplyController,
		},
	}
}

// supplied are the values of auto mode, and whether the cluster builds by them.
func (e *env) supplied() (valuesschema.KernelModule, bool) {
	k := e.target(ModeAuto).Values.Tap.KernelModule
	return k, k.Supplied()
}

const notSupplied = "supply is off: modules come from source.url"

// supplyStatus is what the controller says, nil where there is none yet.
func (e *env) supplyStatus(ctx context.Context) (*supply.Status, error) {
	return fact(e, "supply status", func() (*supply.Status, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		status, err := supply.ReadStatus(ctx, c.core.ConfigMaps(e.Namespace), e.Release)
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
		return skip("no right to read " + what + "; the ClusterRole pfring-prereq-references (deploy/rbac) has it")
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
	return warn("cannot-be-built", fmt.Sprintf("%d of %s cannot be built; their nodes stay on libpcap", len(list), text.Count(len(kernels), "kernel")),
		slices.Compact(remedies)[0], list...)
}

// supplyAdmits tries the pod of a build by a dry run, as nothing else is asked
// when a Job is made.
func supplyAdmits(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	b := k.Supply.Builder
	recipe := build.Recipes()[0]
	if image := b.Images[recipe.Name]; image != "" {
		recipe.Image = image
	}
	settings := build.Settings{
		Namespace: e.Namespace, Script: b.Script, PullSecrets: b.PullSecrets, HostHeaders: b.HostHeaders, Timeout: time.Duration(k.Supply.Timeout),
		Labels: supply.NamesOf(e.Release).Labels(),
	}
	template := settings.Job(build.Target{Kernel: "6.1.0-1-amd64", Arch: "amd64", Recipe: recipe}, "dry-run", "pfring:", 0).Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.GenerateName = e.Namespace, "pfring-build-"
	return e.tryPod(ctx, pod, "a build's pod")
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
	account := supply.NamesOf(e.Release).Controller
	if _, err := c.core.ServiceAccounts(e.Namespace).Get(ctx, account, metav1.GetOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return skip("the chart grants them, once it is installed")
		}
		return unseen("the service account "+account, err)
	}
	daemonSet, err := e.target(ModeAuto).daemonSet()
	if err != nil {
		return skip(err.Error())
	}
	var missing []string
	asked := 0
	for _, rule := range supply.RoleRules(e.Release, daemonSet.Name, &supply.Config{Supply: k.Supply}) {
		for _, name := range append(slices.Clone(rule.ResourceNames), "")[:max(1, len(rule.ResourceNames))] {
			for _, verb := range rule.Verbs {
				asked++
				review := &authorizationv1.LocalSubjectAccessReview{
					ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace},
					Spec: authorizationv1.SubjectAccessReviewSpec{
						User: "system:serviceaccount:" + e.Namespace + ":" + account,
						ResourceAttributes: &authorizationv1.ResourceAttributes{
							Namespace: e.Namespace, Verb: verb, Group: rule.APIGroups[0], Resource: rule.Resources[0], Name: name,
						},
					},
				}
				answer, err := c.auth.LocalSubjectAccessReviews(e.Namespace).Create(ctx, review, metav1.CreateOptions{})
				if apierrors.IsForbidden(err) {
					return skip("no right to ask what another account may do (localsubjectaccessreviews)")
				}
				if err != nil {
					return unread("the controller's rights", err)
				}
				if !answer.Status.Allowed {
					missing = append(missing, (right{verb, rule.APIGroups[0], rule.Resources[0], e.Namespace}).String())
				}
			}
		}
	}
	if len(missing) > 0 {
		return fail("missing-controller-rights", fmt.Sprintf("%d of %d rights are missing", len(missing), asked),
			"Install the chart's Role and RoleBinding "+account+" again with helm upgrade, and see what has changed them.", missing...)
	}
	return ok(fmt.Sprintf("all %d rights in %s are there", asked, e.Namespace))
}

func supplyStore(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	c, err := e.client()
	if err != nil {
		return unread("the store", err)
	}
	store := k.Supply.Store
	switch store.Type {
	case valuesschema.StoreURL:
		return skip("the store is " + store.URL + ", which the controller writes with its own login")
	case valuesschema.StoreClaim:
		name := store.PersistentVolumeClaim.ExistingClaim
		if name == "" {
			return skip("the chart makes the claim")
		}
		if _, err := c.core.PersistentVolumeClaims(e.Namespace).Get(ctx, name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			return fail("claim-missing", "there is no PersistentVolumeClaim "+name, "Make it, or remove supply.store.persistentVolumeClaim.existingClaim.")
		} else if err != nil {
			return unseen("the claim "+name, err)
		}
		return ok("the claim " + name + " is there")
	}
	list, err := c.core.ConfigMaps(e.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set(supply.NamesOf(e.Release).Labels()).String()})
	if err != nil {
		return unseen("the ConfigMaps of "+e.Namespace, err)
	}
	stored := 0
	for i := range list.Items {
		if len(list.Items[i].BinaryData) > 0 {
			stored++
		}
	}
	if stored >= maxStored {
		return fail("store-full", fmt.Sprintf("there are %d modules, and ConfigMaps hold %d", stored, maxStored),
			"Set tap.kernelModule.supply.store.type to persistentVolumeClaim or url, or lower supply.keep.")
	}
	return ok(fmt.Sprintf("%d of %d modules", stored, maxStored))
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
		return skip("it is not installed, or has not said anything yet: kubectl -n " + e.Namespace + " get deployment " + supply.NamesOf(e.Release).Controller)
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
