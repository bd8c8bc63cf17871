package controller

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
)

// readStatus reads what was written last: tries and pauses live there. A status
// that cannot be read begins again.
func (r *reconciler) readStatus(ctx context.Context) (*supply.Status, error) {
	cm := &corev1.ConfigMap{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Status}, cm)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err == nil {
		if s, err := supply.ParseStatus([]byte(cm.Data[supply.StatusKey])); err == nil {
			return s, nil
		}
	}
	return &supply.Status{SchemaVersion: supply.StatusVersion}, nil
}

// writeStatus says what this look has come to.
func (r *reconciler) writeStatus(ctx context.Context, l *look) error {
	url := r.store.String()
	if r.o.Config.Serves() {
		url = r.names.ServiceURL(r.o.Namespace)
	}
	s := supply.Status{
		SchemaVersion: supply.StatusVersion, Controller: r.o.Version, Problems: l.problems, Kernels: l.plan.Kernels,
		Index: supply.IndexStatus{Serial: l.index.serial, Modules: len(l.index.list), Created: l.index.created, Expires: l.index.expires, URL: url},
	}
	if s.Kernels == nil {
		s.Kernels = []supply.KernelStatus{}
	}
	for i := range s.Kernels {
		k := &s.Kernels[i]
		for _, t := range []*time.Time{&k.Since, &k.LastSeen, &k.NextTry} {
			if !t.IsZero() {
				*t = t.UTC().Truncate(time.Second)
			}
		}
	}
	return r.saveStatus(ctx, l, s)
}

// saveStatus writes the status if it says something new, and tells of that.
func (r *reconciler) saveStatus(ctx context.Context, l *look, s supply.Status) error {
	cm := &corev1.ConfigMap{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.o.Namespace, Name: r.names.Status}, cm)
	switch {
	case apierrors.IsNotFound(err):
		cm = nil
	case err != nil:
		return err
	default:
		if old, err := supply.ParseStatus([]byte(cm.Data[supply.StatusKey])); err == nil {
			s.Updated = old.Updated
			if text, err := encode(s); err == nil && text == cm.Data[supply.StatusKey] && maps.EqualFunc(cm.BinaryData, storeList(l, cm), bytes.Equal) {
				return nil
			}
		}
	}
	r.announce(l)
	s.Updated = l.now.UTC().Truncate(time.Second)
	text, err := encode(s)
	if err != nil {
		return err
	}
	_, err = r.write(ctx, r.names.Status, cm, map[string]string{supply.StatusKey: text}, storeList(l, cm), nil)
	return err
}

// storeList is a copy of the signed list of what the store has: of the index, or
// the one beside the old status where there is no index that is whole.
func storeList(l *look, old *corev1.ConfigMap) map[string][]byte {
	from := l.index.object
	if from == nil || l.index.signed == "" {
		if from = old; from == nil {
			return nil
		}
	}
	list := map[string][]byte{}
	for _, name := range []string{supply.StoreListName, supply.StoreListName + ".minisig"} {
		if data, found := from.BinaryData[name]; found {
			list[name] = data
		}
	}
	return list
}

func encode(s supply.Status) (string, error) {
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "", fmt.Errorf("cannot write the status: %w", err)
	}
	return string(data) + "\n", nil
}

// announce tells by events of what has come up beside builds: each once.
func (r *reconciler) announce(l *look) {
	for _, p := range l.problems {
		if !slices.ContainsFunc(l.status.Problems, func(o supply.Problem) bool { return o.Reason == p.Reason && o.Message == p.Message }) {
			r.event(l, corev1.EventTypeWarning, "SupplyProblem", "%s", p.Message)
		}
	}
	for _, k := range l.plan.Kernels {
		old := l.status.Find(k.Kernel, k.Arch)
		if old != nil && old.State == k.State && old.Reason == k.Reason {
			continue
		}
		switch {
		case k.State == supply.Unsupported:
			r.event(l, corev1.EventTypeWarning, "Unsupported", "No PF_RING for kernel %s on %s: %s", k.Kernel, k.Arch, k.Message)
		case k.Reason == supply.StoreFull:
			r.event(l, corev1.EventTypeWarning, "StoreFull", "No PF_RING for kernel %s on %s: %s. %s", k.Kernel, k.Arch, k.Message, k.Remedy)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
