package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// resync is how often everything is looked at without an event.
const resync = time.Minute

// reconciler brings the cluster to what is wanted. Its fields are its own
// goroutine's; what others touch has locks.
type reconciler struct {
	o      Options
	names  supply.Names
	client client.Client
	cache  cache.Cache
	live   client.Reader
	store  store.Store
	// earlier are the ConfigMaps of modules, where the store is another; nil where it
	// is not.
	earlier  *store.ConfigMaps
	owner    *metav1.OwnerReference
	settings build.Settings
	events   events.EventRecorder
	log      logr.Logger
	now      func() time.Time
	trigger  chan event.GenericEvent

	rights    *rights
	source    *sourceWatch
	followers map[string]*follower
	made      map[string]made
	trusted   *trusted
	retried   *pacer
	foreign   map[string]bool
	nodes     seenNodes
	// known is the index that was read or signed last.
	known   published
	shown   *shown
	dropped struct {
		at  time.Time
		err error
	}
	// base ends with the process.
	base context.Context // builds outlive a single reconciliation
}

// look is what one reconciliation has seen.
type look struct {
	now       time.Time
	daemonSet *appsv1.DaemonSet
	release   *rollout.Release
	index     published
	status    *supply.Status
	wants     []decide.Want
	have      []module.Entry
	problems  []supply.Problem
	// storeFails is set once the store has not done what it was asked to, and behind
	// when agents find another index there than the one that was signed last.
	storeFails, behind bool
	plan               decide.Plan
	// settled are Jobs that have told all that they have to tell.
	settled []string
	// building and ending are kernels with Jobs, by their names.
	building, ending map[decide.Key]string
}

func (l *look) problem(reason supply.Reason, remedy, format string, args ...any) {
	l.problems = append(l.problems, supply.Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// Reconcile looks at everything once and takes the next steps.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	l := &look{now: r.now()}
	r.seeRights(ctx, l)
	err := r.see(ctx, l)
	switch {
	case err == nil:
		r.results(ctx, l)
		r.decide(l)
		if err = r.seeRefusals(ctx, l); err == nil {
			err = r.act(ctx, l)
		}
		r.observe(l)
	case isForbidden(err) && len(r.rights.lacks) > 0:
		l.observeProblems()
		return reconcile.Result{RequeueAfter: rightsAgain}, r.withoutRights(ctx, l)
	}
	r.rights.doubt = r.rights.doubt || isForbidden(err)
	if err != nil {
		return reconcile.Result{}, err
	}
	after := resync
	if !l.plan.Next.IsZero() {
		after = min(after, max(l.plan.Next.Sub(l.now), time.Second))
	}
	if at := r.rights.nextLook(); !at.IsZero() {
		after = min(after, max(at.Sub(l.now), time.Second))
	}
	if r.trusted != nil && !r.trusted.next.IsZero() {
		after = min(after, max(r.trusted.next.Sub(l.now), time.Second))
	}
	return reconcile.Result{RequeueAfter: after}, nil
}

// see reads, all but secrets from the cache.
func (r *reconciler) see(ctx context.Context, l *look) error {
	ds := &appsv1.DaemonSet{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.o.DaemonSet}, ds)
	switch {
	case apierrors.IsNotFound(err):
		l.problem(supply.OtherFailure, "", "DaemonSet %s not found, so no node is selected", r.o.DaemonSet)
	case err != nil:
		return err
	default:
		l.daemonSet, l.release = ds, rollout.ReleaseOf(ds)
	}
	if l.status, err = r.readStatus(ctx); err != nil {
		return err
	}
	if err := r.trust(ctx, l); err != nil {
		return err
	}
	if err := r.readIndex(ctx, l); err != nil {
		return err
	}
	r.seeStore(ctx, l)
	if err := r.seeNodes(ctx, l); err != nil {
		return err
	}
	return r.seeJobs(ctx, l)
}

func (r *reconciler) decide(l *look) {
	s := r.o.Config.Supply
	building, ending := map[decide.Key]bool{}, map[decide.Key]bool{}
	for key := range l.building {
		building[key] = true
	}
	for key := range l.ending {
		ending[key] = true
	}
	l.plan = decide.Decide(decide.Situation{
		Now: l.now, Version: s.PFRingVersion, HostHeaders: s.Builder.HostHeaders, Parallel: s.Parallel, Keep: time.Duration(s.Keep),
		Room: r.store.Room(), Wants: l.wants, Have: l.have, Published: l.index.list, Sourced: r.source.has, Waiting: r.source.waiting(),
		Building: building, Ending: ending, Last: l.status, Inputs: r.inputs,
	})
	if text := r.source.problem(); text != "" {
		l.problem(supply.SourceFailed, "Correct source.url and its settings, or remove it.", "cannot read the module repository of the values: %s", text)
	}
	if held := r.whyHeld(l); held != "" {
		for _, b := range l.plan.Begin {
			i := slices.IndexFunc(l.plan.Kernels, func(k supply.KernelStatus) bool { return k.Kernel == b.Target.Kernel && k.Arch == b.Target.Arch })
			l.plan.Kernels[i].Message = held
		}
		l.plan.Begin = nil
	}
	for i := range l.plan.Kernels {
		k := &l.plan.Kernels[i]
		if k.State == supply.Building {
			r.describe(k, l.building[decide.Key{Kernel: k.Kernel, Arch: k.Arch}])
		}
	}
	for _, name := range sortedKeys(r.foreign) {
		l.problem(supply.ForeignObject, "Find out who created it, and delete it.", "ConfigMap %s has a name of the store but does not belong to it; it is ignored", name)
	}
}

// whyHeld says why no build is begun for the moment; "" if they may be.
func (r *reconciler) whyHeld(l *look) string {
	switch {
	case l.storeFails:
		return "waiting for the store to work"
	case r.rights.hold():
		return "waiting for the rights of the controller's service account"
	}
	return ""
}

// act takes the steps, in an order in which each can be the last: what a later
// one removes, an earlier one has made unnecessary.
func (r *reconciler) act(ctx context.Context, l *look) error {
	var errs []error
	if l.daemonSet != nil {
		errs = append(errs, r.publish(ctx, l))
	}
	refused := r.begin(ctx, l)
	errs = append(errs, r.writeStatus(ctx, l))
	if errors.Join(errs...) == nil {
		errs = append(errs, r.removeJobs(ctx, l), r.drop(ctx, l), r.retry(ctx, l))
	}
	return errors.Join(append(errs, refused...)...)
}

// drop removes modules that the published index has not named for a while: an
// agent that has read the one before may be about to fetch them.
func (r *reconciler) drop(ctx context.Context, l *look) error {
	const while = 10 * time.Minute
	if len(l.plan.Drop) == 0 {
		r.dropped.err = nil
	}
	if len(l.plan.Drop) == 0 || l.now.Before(l.index.created.Add(while)) || l.storeFails || l.behind {
		return nil
	}
	if r.dropped.err != nil && l.now.Before(r.dropped.at.Add(while)) {
		return nil
	}
	var errs []error
	for _, e := range l.plan.Drop {
		used := func(o module.Entry) bool { return o.SHA256 == e.SHA256 }
		if slices.ContainsFunc(l.index.list, used) {
			continue
		}
		errs = append(errs, r.store.Remove(ctx, e))
		if r.earlier != nil {
			errs = append(errs, r.earlier.Remove(ctx, e))
		}
	}
	r.dropped.at, r.dropped.err = l.now, errors.Join(errs...)
	return r.dropped.err
}

func (r *reconciler) event(l *look, kind, reason, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.log.Info(text, "event", reason)
	if l.daemonSet != nil && r.events != nil {
		// An event holds 1 KB.
		if len(text) > 1000 {
			text = strings.ToValidUTF8(text[:1000], "")
		}
		r.events.Eventf(l.daemonSet, nil, kind, reason, "Supply", "%s", text)
	}
}

// enqueue asks for a reconciliation.
func (r *reconciler) enqueue() {
	select {
	case r.trigger <- event.GenericEvent{Object: &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: r.o.DaemonSet, Namespace: r.o.Namespace}}}:
	default: // one is on its way
	}
}
