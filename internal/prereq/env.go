package prereq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Target is a release as one mode would install it.
type Target struct {
	Mode   string
	Values valuesschema.Values
	// Objects are what the chart renders to.
	Objects []*unstructured.Unstructured
}

// Options say what is checked.
type Options struct {
	// Config is how to reach the cluster.
	Config *rest.Config
	// Namespace and Release are where the chart is to be installed, and as what.
	Namespace, Release string
	// Targets has one entry for each mode that is checked.
	Targets []Target
	// ReadSource reads the module repository of auto from here. Warnings say what is
	// not as on the nodes.
	ReadSource func(context.Context, valuesschema.KernelModule) (repository *compatibility.Repository, warnings []string, err error)
	// Images looks images up from here.
	Images *compatibility.Images
	// Probe has nodes looked at from the inside; nil makes no Job.
	Probe *ProbeOptions
	// Selector restricts the nodes that are looked at, by their labels; "" is all.
	Selector string
	// Nodes lists the nodes; nil asks the cluster.
	Nodes cluster.NodeLister
	// Only and Skip are ids or categories.
	Only, Skip []string
	// Wait is how long in all to wait for checks that may settle.
	Wait time.Duration
	// Starting is called with each check before it is made; nil is none.
	Starting func(Check)
	// now is the time against which expiry is reported; nil is time.Now.
	now func() time.Time
}

func (o Options) modes() []string {
	var modes []string
	for _, t := range o.Targets {
		modes = append(modes, t.Mode)
	}
	return modes
}

// supplied tells whether the cluster builds modules by these values.
func (o Options) supplied() bool {
	t := o.target(ModeAuto)
	return t != nil && t.Values.Tap.KernelModule.Supplied()
}

// target is the one of a mode. Checks of a mode are made only if it is there.
func (o Options) target(mode string) *Target {
	for i := range o.Targets {
		if o.Targets[i].Mode == mode {
			return &o.Targets[i]
		}
	}
	return nil
}

// env is a snapshot of the cluster that is taken piece by piece, when a check
// first asks for a piece: each is read once, whatever the number of checks.
type env struct {
	Options
	clients lazy[*clients]
	// probeRun is not among the facts: Jobs are not made again with each look.
	probeRun lazy[*probe.Report]

	mu    sync.Mutex
	facts map[string]any
}

// clients are the few that checks need.
type clients struct {
	core      corev1client.CoreV1Interface
	auth      authorizationv1.AuthorizationV1Interface
	discovery *discovery.DiscoveryClient
	dynamic   dynamic.Interface
}

func newEnv(o Options) *env {
	if o.now == nil {
		o.now = time.Now
	}
	return &env{Options: o, facts: map[string]any{}}
}

// lazy is a value that is made once.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (o *lazy[T]) get(make func() (T, error)) (T, error) {
	o.once.Do(func() { o.value, o.err = make() })
	return o.value, o.err
}

// fact reads a piece of the snapshot, once.
func fact[T any](e *env, key string, read func() (T, error)) (T, error) {
	e.mu.Lock()
	entry, found := e.facts[key].(*lazy[T])
	if !found {
		entry = &lazy[T]{}
		e.facts[key] = entry
	}
	e.mu.Unlock()
	return entry.get(read)
}

// forget drops the snapshot, for a check that is made again.
func (e *env) forget() {
	e.mu.Lock()
	e.facts = map[string]any{}
	e.mu.Unlock()
}

func (e *env) client() (*clients, error) {
	return e.clients.get(func() (*clients, error) {
		var c clients
		var errs [4]error
		proto := rest.CopyConfig(e.Config)
		proto.ContentType = runtime.ContentTypeProtobuf
		proto.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
		c.core, errs[0] = corev1client.NewForConfig(proto)
		c.auth, errs[1] = authorizationv1.NewForConfig(proto)
		c.discovery, errs[2] = discovery.NewDiscoveryClientForConfig(e.Config)
		c.dynamic, errs[3] = dynamic.NewForConfig(e.Config)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("cannot create a client for the cluster: %w", err)
		}
		return &c, nil
	})
}

func (e *env) version(ctx context.Context) (*version.Info, error) {
	return fact(e, "version", func() (*version.Info, error) {
		c, err := e.client()
		if err != nil {
			return nil, err
		}
		return c.discovery.ServerVersionWithContext(ctx)
	})
}

func (e *env) addons(ctx context.Context) (cluster.Addons, error) {
	return fact(e, "addons", func() (cluster.Addons, error) { return cluster.ReadAddons(ctx, e.Config) })
}
