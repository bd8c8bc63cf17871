package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

const (
	// indexLife is how long an index is valid, and indexFresh how old it gets
	// before it is signed again.
	indexLife  = 90 * 24 * time.Hour
	indexFresh = 30 * 24 * time.Hour
	// clockSkew is how far ahead the clock may be that made the index: of another
	// leader, or of this one before it was set back. Agents warn of such an index.
	clockSkew = time.Hour
)

// published is what the ConfigMap of the index holds, as far as its signature
// proves it.
type published struct {
	object *corev1.ConfigMap
	serial int64
	// list is what agents see, all what the store has.
	list, all        []module.Entry
	created, expires time.Time
	// signed is the key that made the signature.
	signed string
}

// readIndex reads the list of what the store has.
func (r *reconciler) readIndex(ctx context.Context, l *look) error {
	cm := &corev1.ConfigMap{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Index}, cm)
	if apierrors.IsNotFound(err) {
		return r.restoreIndex(ctx, l)
	}
	if err != nil {
		return err
	}
	l.index.object = cm
	list, signed, err := r.verified(cm, module.IndexName)
	if err == nil {
		l.index.list, l.index.serial, l.index.signed = list.Modules, list.Serial, signed
		l.index.created, l.index.expires = list.Created, list.Expires
		list, _, err = r.verified(cm, supply.StoreListName)
	}
	if err != nil {
		l.problem(supply.ForeignObject, "", "ConfigMap %s is damaged and is written again: %v", cm.Name, err)
		l.index = published{object: cm}
		return r.restoreIndex(ctx, l)
	}
	l.index.all = list.Modules
	r.known = l.index
	return nil
}

// restoreIndex takes what this controller has signed last, the signed copy beside the
// status, or the index in the store, in the place of an index that is damaged or
// gone. So it is written again with all modules that are there, and none of them is
// built a second time. A release that was installed again with the key that it had
// finds the index in the store alone.
func (r *reconciler) restoreIndex(ctx context.Context, l *look) error {
	if r.known.serial > 0 {
		object := l.index.object
		l.index = r.known
		l.index.object, l.index.signed = object, ""
		return nil
	}
	cm := &corev1.ConfigMap{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Status}, cm)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	list, _, err := r.verified(cm, supply.StoreListName)
	if err != nil {
		list, _, err = r.proved(r.indexInStore(ctx, l))
	}
	if err == nil && list != nil {
		l.index.list, l.index.all, l.index.serial, l.index.created = list.Modules, slices.Clone(list.Modules), list.Serial, list.Created
	}
	return nil
}

// verified reads a list of a ConfigMap whose signature one of the trusted keys has
// made.
func (r *reconciler) verified(cm *corev1.ConfigMap, name string) (list *module.Index, key string, err error) {
	return r.proved(cm.BinaryData[name], cm.BinaryData[name+".minisig"])
}

func (r *reconciler) proved(data, signature []byte) (list *module.Index, key string, err error) {
	for _, key := range r.trusted.public {
		if err = module.VerifyIndex(data, signature, []string{key}); err == nil {
			list, err = module.ParseIndex(data)
			return list, key, err
		}
	}
	return nil, "", err
}

// publish signs and stores the index, when it is not what it should be.
func (r *reconciler) publish(ctx context.Context, l *look) error {
	p := l.index
	wanted, have := r.trusted.signing, sortEntries(l.have)
	same := p.object != nil && p.serial > 0 && equalEntries(p.list, l.plan.List) && equalEntries(p.all, have)
	_, isShown := r.store.(store.Shown)
	switch {
	case wanted == "":
		return nil // the key is not known to all yet
	case isShown && l.storeFails:
		return nil
	case l.behind && !r.emptied(l):
		r.show(ctx, l) // before anything new is signed: by its content it is known to be of this release
		return nil
	case same && p.signed == wanted && l.now.Before(p.created.Add(indexFresh)) && p.created.Sub(l.now) < clockSkew:
		return nil
	}
	next := module.Index{SchemaVersion: module.IndexSchemaVersion, Module: "pf_ring", Serial: p.serial + 1, Modules: l.plan.List}
	if next.Modules == nil {
		next.Modules = []module.Entry{}
	}
	index, signature, err := mirror.SignIndex(next, r.trusted.key, l.now, indexLife)
	if err != nil {
		return err
	}
	stored := next
	stored.Modules = append([]module.Entry{}, have...)
	all, allSignature, err := mirror.SignIndex(stored, r.trusted.key, l.now, 0)
	if err != nil {
		return err
	}
	data := map[string][]byte{
		module.IndexName: index, module.SignatureName: signature,
		supply.StoreListName: all, supply.StoreListName + ".minisig": allSignature,
	}
	if l.index.object, err = r.write(ctx, r.names.Index, p.object, nil, data, nil); err != nil {
		return err
	}
	read, err := module.ParseIndex(index)
	if err != nil {
		return err
	}
	l.index.list, l.index.all, l.index.signed = read.Modules, stored.Modules, wanted
	l.index.serial, l.index.created, l.index.expires = read.Serial, read.Created, read.Expires
	r.known = l.index
	if r.show(ctx, l); l.behind {
		return nil
	}
	r.log.Info("published the index", "serial", read.Serial, "modules", len(read.Modules))
	return nil
}

func sortEntries(list []module.Entry) []module.Entry {
	slices.SortFunc(list, func(a, b module.Entry) int {
		return cmp.Or(keyOf(a).Compare(keyOf(b)), module.CompareVersions(a.Version, b.Version))
	})
	return list
}

func equalEntries(a, b []module.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y module.Entry) bool {
		return x.SHA256 == y.SHA256 && x.Path == y.Path && x.Version == y.Version && x.KernelVersion == y.KernelVersion
	})
}

// write makes a ConfigMap of the controller, or replaces the one that was read.
func (r *reconciler) write(ctx context.Context, name string, old *corev1.ConfigMap, data map[string]string, binary map[string][]byte, annotations map[string]string) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.o.Namespace, Name: name, Labels: r.names.Labels(), Annotations: maps.Clone(unmanaged)},
		Data:       data, BinaryData: binary,
	}
	maps.Copy(cm.Annotations, annotations)
	if r.owner != nil {
		cm.OwnerReferences = []metav1.OwnerReference{*r.owner}
	}
	if old != nil {
		cm.ResourceVersion, cm.UID = old.ResourceVersion, old.UID
		err := r.client.Update(ctx, cm)
		if err != nil {
			return nil, fmt.Errorf("cannot write ConfigMap %s: %w", name, err)
		}
		return cm, nil
	}
	err := r.client.Create(ctx, cm)
	if apierrors.IsAlreadyExists(err) {
		// Either the cache is behind, or somebody else has made it without the labels.
		there := &corev1.ConfigMap{}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(cm), there); err != nil {
			return nil, fmt.Errorf("cannot read ConfigMap %s: %w", name, err)
		}
		if there.Labels["app.kubernetes.io/managed-by"] == supply.ManagedBy {
			return nil, errors.New("the cache is outdated: ConfigMap " + name + " already exists")
		}
		r.foreign[name] = true
		return nil, fmt.Errorf("ConfigMap %s was not created by this controller. Delete it", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create ConfigMap %s: %w", name, err)
	}
	return cm, nil
}

// unmanaged asks GitOps tools to leave alone what no manifest names.
var unmanaged = map[string]string{
	"argocd.argoproj.io/compare-options": "IgnoreExtraneous",
	"argocd.argoproj.io/sync-options":    "Prune=false",
}
