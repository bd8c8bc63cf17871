package store

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

const (
	// moduleKey is the key of the file in its ConfigMap.
	moduleKey = "pf_ring.ko.zst"
	// maxFile bounds a module, in bytes: a ConfigMap holds 1 MiB, of which base64
	// in JSON takes no part, but metadata does.
	maxFile = 900 << 10
	// maxModules bounds the modules, so that etcd holds no more than some 4 MB of
	// them.
	maxModules = 64
	// beside is how many names are tried where another's object has one.
	beside = 5
)

// Annotations of a module's ConfigMap, for people.
const (
	kernelAnnotation  = "kubeshark-pfring/kernel"
	archAnnotation    = "kubeshark-pfring/arch"
	versionAnnotation = "kubeshark-pfring/version"
)

// ConfigMaps is a store of one immutable ConfigMap a module, named after its
// content.
type ConfigMaps struct {
	// Client reads from a cache that holds ConfigMaps with the labels of
	// supply.Names.Labels, and writes.
	Client client.Client
	// Live reads past the cache.
	Live      client.Reader
	Names     supply.Names
	Namespace string
	// Owner goes with the ConfigMaps; nil is nobody.
	Owner *metav1.OwnerReference
	// Foreign is called with the name of an object that another has made under a name of the store.
	Foreign func(name string)
}

var _ Store = (*ConfigMaps)(nil)

// String is where it lies.
func (s *ConfigMaps) String() string { return "ConfigMaps of namespace " + s.Namespace }

// Room is maxModules.
func (s *ConfigMaps) Room() int { return maxModules }

// Sequential is false.
func (s *ConfigMaps) Sequential() bool { return false }

// Close does nothing.
func (s *ConfigMaps) Close() error { return nil }

// Publish does nothing: the controller itself keeps the index.
func (s *ConfigMaps) Publish(context.Context, []module.Entry, []byte, []byte) error { return nil }

// Has tells whether a ConfigMap holds the file.
func (s *ConfigMaps) Has(ctx context.Context, e module.Entry) (bool, error) {
	cm, err := s.find(ctx, e)
	return cm != nil, err
}

// Open returns the file.
func (s *ConfigMaps) Open(ctx context.Context, e module.Entry) ([]byte, error) {
	cm, err := s.find(ctx, e)
	if err != nil {
		return nil, err
	}
	if cm == nil {
		return nil, fmt.Errorf("%s not found in any ConfigMap: %w", e.Path, module.ErrNotFound)
	}
	return cm.BinaryData[moduleKey], nil
}

// find returns the ConfigMap that holds the file of e, nil if none does. What
// has its name and another content is passed to Foreign.
func (s *ConfigMaps) find(ctx context.Context, e module.Entry) (*corev1.ConfigMap, error) {
	for n := range beside {
		var cm corev1.ConfigMap
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: s.name(e, n)}, &cm)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("cannot read ConfigMap %s: %w", s.name(e, n), err)
		case mirror.Fits(e, cm.BinaryData[moduleKey]) == nil:
			return &cm, nil
		}
		s.foreign(cm.Name)
	}
	return nil, nil
}

func (s *ConfigMaps) foreign(name string) {
	if s.Foreign != nil {
		s.Foreign(name)
	}
}

// name is the one that the content gives, and the n-th beside it.
func (s *ConfigMaps) name(e module.Entry, n int) string {
	name := s.Names.ModuleOf(e.SHA256)
	if n > 0 {
		name += "-" + strconv.Itoa(n+1)
	}
	return name
}

// Put makes a ConfigMap, unless one holds the file already. Another's object of
// the same name is left alone.
func (s *ConfigMaps) Put(ctx context.Context, e module.Entry, data []byte) error {
	if len(data) > maxFile {
		return fmt.Errorf("the module has %d KB, and a ConfigMap can hold %d: %w", len(data)>>10, maxFile>>10, ErrFull)
	}
	for n := range beside {
		cm := s.object(e, data, n)
		err := s.Client.Create(ctx, cm)
		if err == nil {
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("cannot create ConfigMap %s: %w", cm.Name, err)
		}
		var there corev1.ConfigMap
		if err := s.Live.Get(ctx, client.ObjectKeyFromObject(cm), &there); err != nil {
			return fmt.Errorf("cannot read ConfigMap %s: %w", cm.Name, err)
		}
		if mirror.Fits(e, there.BinaryData[moduleKey]) == nil && labelled(&there, cm.Labels) {
			return nil
		}
		s.foreign(cm.Name)
	}
	return fmt.Errorf("ConfigMaps %s and beside it: %w", s.name(e, 0), errForeign)
}

func labelled(cm *corev1.ConfigMap, labels map[string]string) bool {
	for key, value := range labels {
		if cm.Labels[key] != value {
			return false
		}
	}
	return true
}

func (s *ConfigMaps) object(e module.Entry, data []byte, n int) *corev1.ConfigMap {
	yes := true
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: s.name(e, n), Labels: s.Names.Labels(),
			Annotations: map[string]string{kernelAnnotation: e.KernelRelease, archAnnotation: e.Arch, versionAnnotation: e.Version},
		},
		Immutable: &yes, BinaryData: map[string][]byte{moduleKey: data},
	}
	if s.Owner != nil {
		cm.OwnerReferences = []metav1.OwnerReference{*s.Owner}
	}
	return cm
}

// Remove deletes the ConfigMap of e.
func (s *ConfigMaps) Remove(ctx context.Context, e module.Entry) error {
	cm, err := s.find(ctx, e)
	if err != nil || cm == nil {
		return err
	}
	err = s.Client.Delete(ctx, cm, client.Preconditions{UID: &cm.UID})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cannot delete ConfigMap %s: %w", cm.Name, err)
	}
	return nil
}
