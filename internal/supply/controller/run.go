package controller

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Options say what to run, and where.
type Options struct {
	Config *supply.Config
	// Release and Namespace are those of the chart; DaemonSet is the agent's and
	// Deployment the controller's own, which owns what it makes.
	Release, Namespace, DaemonSet, Deployment string
	// NamePrefix begins the names of what the controller makes; "" is RELEASE-pfring.
	NamePrefix string
	// MetricsAddress and ServeAddress are host:port to listen on.
	MetricsAddress, ServeAddress string
	// StoreDir is where a store of type persistentVolumeClaim is mounted.
	StoreDir string
	// Remote are the folders of a store of type url; the zero value is where the
	// chart mounts them.
	Remote  store.Dirs
	Version string
	REST    *rest.Config
	Log     *slog.Logger
	// LeaseDuration is how long a leader that has gone is waited for; 0 is
	// DefaultLeaseDuration.
	LeaseDuration time.Duration
	// Identity is this controller's in the Lease: no two that run at a time may
	// have the same, and one that takes another's place with the same goes on as
	// leader at once. "" is the host's name and a random part.
	Identity string

	// Now is the clock; nil is time.Now.
	Now func() time.Time

	serving *serving
}

func (o Options) names() supply.Names { return supply.NamesWith(o.Release, o.NamePrefix) }

// DefaultLeaseDuration is longer than usual. Who loses the Lease ends, and serves
// no module until it has started again, so a slow API server must not cost it; and
// nobody waits for the next leader, as capture does not wait for builds.
const DefaultLeaseDuration = time.Minute

// coalesce is how long changes are gathered before they are looked at.
const coalesce = time.Second

func scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, appsv1.AddToScheme, eventsv1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Run runs the controller until ctx ends.
func Run(ctx context.Context, o Options) error {
	log := logr.FromSlogHandler(o.Log.Handler())
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	o.serving = &serving{}
	if o.Now == nil {
		o.Now = time.Now
	}
	names := o.names()
	mgr, err := newManager(o, names, log)
	if err != nil {
		return fmt.Errorf("cannot start the controller: %w", err)
	}
	asked := &rights{client: mgr.GetClient(), o: o}
	if err := asked.await(ctx, func(text string) { log.Error(nil, text, "remedy", rightsRemedy) }); err != nil {
		return nil // told to end
	}
	owner, err := ownerOf(ctx, mgr.GetAPIReader(), o)
	if err != nil {
		return err
	}
	keep, err := openStore(ctx, o, names, mgr, owner)
	if err != nil {
		return fmt.Errorf("cannot open the store: %w", err)
	}
	defer func() {
		if err := keep.Close(); err != nil {
			log.Error(err, "cannot close the store")
		}
	}()
	if err := register(); err != nil {
		return err
	}
	r, err := newReconciler(ctx, o, names, mgr, keep, owner)
	if err != nil {
		return err
	}
	r.rights = asked
	if cm, ok := keep.(*store.ConfigMaps); ok {
		cm.Foreign = func(name string) { r.foreign[name] = true }
	} else {
		r.earlier = configMaps(o, names, mgr, owner)
	}
	if err := addServers(o, names, mgr, keep); err != nil {
		return err
	}
	if err := addController(mgr, r); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newManager(o Options, names supply.Names, log logr.Logger) (manager.Manager, error) {
	s, err := scheme()
	if err != nil {
		return nil, err
	}
	watched, err := cacheOptions(o, names)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(o.REST)
	// The library's bound of 5 requests a second makes the first look, which asks for
	// some 50 rights, take ten seconds. What is done in loops has bounds of its own.
	config.QPS, config.Burst = 50, 100
	config.UserAgent = supply.ManagedBy + "/" + o.Version
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	lease := cmp.Or(o.LeaseDuration, DefaultLeaseDuration)
	renew, again, grace := lease*2/3, lease/12, 5*time.Second
	options := manager.Options{
		Scheme: s, Cache: watched, Logger: log,
		Client:         client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection: true, LeaderElectionID: names.Lease, LeaderElectionNamespace: o.Namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &again, GracefulShutdownTimeout: &grace,
		Metrics:                server.Options{BindAddress: o.MetricsAddress, ExtraHandlers: map[string]http.Handler{}},
		HealthProbeBindAddress: "0",
	}
	if o.Identity != "" {
		if options.LeaderElectionResourceLockInterface, err = lock(config, o, names, renew); err != nil {
			return nil, err
		}
	}
	return ctrl.NewManager(config, options)
}

// lock is the Lease with an identity of our own. A single request that hangs must
// not cost it. Its labels are left alone: the chart's Lease has the chart's, and
// whoever applies the chart again would find them changed (Helm 4 then fails on the
// conflict).
func lock(config *rest.Config, o Options, names supply.Names, renew time.Duration) (resourcelock.Interface, error) {
	config = rest.CopyConfig(config)
	config.Timeout = max(renew/2, time.Second)
	c, err := coordinationv1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return resourcelock.New(resourcelock.LeasesResourceLock, o.Namespace, names.Lease, nil, c, resourcelock.ResourceLockConfig{Identity: o.Identity})
}

// ownerOf is the controller's Deployment, so that what is made goes with it; nil
// where it runs without one.
func ownerOf(ctx context.Context, reader client.Reader, o Options) (*metav1.OwnerReference, error) {
	if o.Deployment == "" {
		return nil, nil
	}
	d := &appsv1.Deployment{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: o.Deployment}, d)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read Deployment %s: %w", o.Deployment, err)
	}
	return &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name, UID: d.UID}, nil
}

func openStore(ctx context.Context, o Options, names supply.Names, mgr manager.Manager, owner *metav1.OwnerReference) (store.Store, error) {
	switch o.Config.Supply.Store.Type {
	case valuesschema.StoreClaim:
		return store.NewFolder(ctx, o.StoreDir)
	case valuesschema.StoreURL:
		return store.NewRemote(o.Config, o.Remote)
	}
	return configMaps(o, names, mgr, owner), nil
}

func configMaps(o Options, names supply.Names, mgr manager.Manager, owner *metav1.OwnerReference) *store.ConfigMaps {
	return &store.ConfigMaps{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Names: names, Namespace: o.Namespace, Owner: owner}
}

func newReconciler(ctx context.Context, o Options, names supply.Names, mgr manager.Manager, keep store.Store, owner *metav1.OwnerReference) (*reconciler, error) {
	how, err := settings(o, names, owner)
	if err != nil {
		return nil, err
	}
	r := &reconciler{
		o: o, names: names, client: mgr.GetClient(), cache: mgr.GetCache(), live: mgr.GetAPIReader(), store: keep, owner: owner, settings: how,
		events: mgr.GetEventRecorder(supply.ManagedBy), log: mgr.GetLogger().WithName("supply"), now: o.Now,
		trigger: make(chan event.GenericEvent, 1), followers: map[string]*follower{}, made: map[string]made{}, foreign: map[string]bool{},
		retried: &pacer{nodes: map[string]paced{}}, base: ctx,
	}
	if r.source, err = newSource(o.Config, r.enqueue); err != nil {
		return nil, fmt.Errorf("cannot open the module repository of the values: %w", err)
	}
	return r, nil
}

// addServers serves modules, metrics and probes.
func addServers(o Options, names supply.Names, mgr manager.Manager, keep store.Store) error {
	ready := healthz.Ping
	if o.Config.Serves() {
		s := &moduleServer{address: o.ServeAddress, names: names, namespace: o.Namespace, client: mgr.GetClient(), live: mgr.GetAPIReader(), store: keep, serving: o.serving}
		ready = s.ready
		if err := mgr.Add(s); err != nil {
			return err
		}
	}
	for path, check := range map[string]healthz.Checker{"/readyz": ready, "/healthz": healthz.Ping} {
		if err := mgr.AddMetricsServerExtraHandler(path, healthz.CheckHandler{Checker: check}); err != nil {
			return err
		}
	}
	return nil
}

// addController has the reconciler hear of what it looks at. All changes mean one
// thing, look at everything, and those that come together are one.
func addController(mgr manager.Manager, r *reconciler) error {
	one := reconcile.Request{}
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	soon := handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			r.nodes.note(e.Object)
			q.AddAfter(one, coalesce)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			r.nodes.note(e.Object)
			q.AddAfter(one, coalesce)
		},
		GenericFunc: func(_ context.Context, _ event.GenericEvent, q queue) { q.Add(one) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if changesInput(e.ObjectOld, e.ObjectNew) {
				r.nodes.note(e.ObjectNew)
				q.AddAfter(one, coalesce)
			}
		},
	}
	// Of several in one process, as in tests, each has metrics of the same names.
	several := true
	c, err := controller.New("supply", mgr, controller.Options{Reconciler: r, MaxConcurrentReconciles: 1, SkipNameValidation: &several})
	if err != nil {
		return err
	}
	for _, object := range []client.Object{&corev1.Node{}, &corev1.Pod{}, &batchv1.Job{}, &corev1.ConfigMap{}, &appsv1.DaemonSet{}} {
		if err := c.Watch(source.Kind(mgr.GetCache(), object, soon)); err != nil {
			return err
		}
	}
	if err := c.Watch(source.Channel(r.trigger, soon)); err != nil {
		return err
	}
	if r.source != nil {
		return mgr.Add(r.source)
	}
	return nil
}

// changesInput leaves out changes that change nothing here: a node's heartbeat, a
// DaemonSet's count of pods.
func changesInput(before, after client.Object) bool {
	switch now := after.(type) {
	case *corev1.Node:
		was, ok := before.(*corev1.Node)
		return !ok || !sameNode(was, now)
	case *metav1.PartialObjectMetadata:
		// An agent that works, or will: only that it fell back before is news.
		_, same := before.(*metav1.PartialObjectMetadata)
		return !same
	case *appsv1.DaemonSet:
		return before.GetGeneration() != now.GetGeneration()
	}
	return before.GetResourceVersion() != after.GetResourceVersion()
}
