package controller

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module"
)

const (
	// lookAtIndex is how often the index in a bucket or registry is read, and
	// lookAgain how soon after a failure: it may take store.Remote's patience.
	lookAtIndex = 10 * time.Minute
	lookAgain   = 50 * time.Second
)

// shown is what agents find in a bucket or registry, when it was looked at last.
type shown struct {
	at               time.Time
	index, signature []byte
	err              error
}

// seeStore holds the store against the list of what it has. While it does not
// answer, what it had is taken to be there: building again would not help.
func (r *reconciler) seeStore(ctx context.Context, l *look) {
	if s, ok := r.store.(store.Shown); ok {
		pause := lookAtIndex
		if v := r.shown; v != nil && (v.err != nil || !r.ours(l, v)) {
			pause = lookAgain
		}
		if r.shown == nil || !l.now.Before(r.shown.at.Add(pause)) {
			r.readPublished(ctx, l, s)
		}
		r.checkPublished(l)
	}
	for _, e := range l.index.all {
		there := true
		if !l.storeFails {
			var err error
			if there, err = r.has(ctx, e); err != nil {
				r.storeFailed(l, "cannot look into the store", err)
				there = true
			}
		}
		if there {
			l.have = append(l.have, e)
		}
	}
	if r.dropped.err != nil {
		l.problem(supply.StoreFailed, store.Remedy(r.dropped.err), "cannot remove unused modules from %s: %v", r.store, r.dropped.err)
	}
}

// has tells whether the store has a file. One that is in a ConfigMap still, from
// before supply.store was changed, is copied from there.
func (r *reconciler) has(ctx context.Context, e module.Entry) (bool, error) {
	there, err := r.store.Has(ctx, e)
	if there || err != nil || r.earlier == nil {
		return there, err
	}
	data, err := r.earlier.Open(ctx, e)
	if errors.Is(err, module.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		err = r.store.Put(ctx, e, data)
	}
	if err == nil {
		r.log.Info("copied a module from its ConfigMap", "kernel", e.KernelRelease, "arch", e.Arch, "to", r.store.String())
	}
	return err == nil, err
}

// emptied tells whether the store has no index, and not all modules of the one that
// was signed last: it is another place than before.
func (r *reconciler) emptied(l *look) bool {
	return r.shown != nil && r.shown.err == nil && r.shown.index == nil && slices.ContainsFunc(l.index.list, func(e module.Entry) bool {
		return !slices.ContainsFunc(l.have, func(o module.Entry) bool { return o.SHA256 == e.SHA256 })
	})
}

// indexInStore is the index that is kept beside the modules, as far as there is one
// and it can be read.
func (r *reconciler) indexInStore(ctx context.Context, l *look) (index, signature []byte) {
	switch s := r.store.(type) {
	case store.Shown:
		if r.shown == nil {
			r.readPublished(ctx, l, s)
		}
		return r.shown.index, r.shown.signature
	case store.Folder:
		return s.Index()
	}
	return nil, nil
}

func (r *reconciler) readPublished(ctx context.Context, l *look, s store.Shown) {
	index, signature, err := s.Current(ctx)
	r.shown = &shown{l.now, index, signature, err}
}

// checkPublished tells whether the index in the store may be replaced, and whether it
// is another than the one that was signed last.
func (r *reconciler) checkPublished(l *look) {
	v := r.shown
	switch {
	case v.err != nil:
		r.storeFailed(l, "cannot read the index", v.err)
	case !r.ours(l, v):
		l.storeFails = true
		l.problem(supply.ForeignObject, "Set supply.store.url to a separate place for this release, or delete "+module.IndexName+" and "+module.SignatureName+" there.",
			"%s of %s is not signed by this release's key; it is left alone, so nothing is published", module.IndexName, r.store)
	case l.index.object != nil && l.index.signed != "":
		data := l.index.object.BinaryData
		l.behind = !bytes.Equal(v.index, data[module.IndexName]) || !bytes.Equal(v.signature, data[module.SignatureName])
	}
}

// ours tells whether the index in the store is of this release. The one that was
// signed last is, even where its signature is missing: a controller that was
// killed left it so.
func (r *reconciler) ours(l *look, v *shown) bool {
	if v.index == nil {
		return true
	}
	if cm := l.index.object; cm != nil && bytes.Equal(v.index, cm.BinaryData[module.IndexName]) {
		return true
	}
	return r.trusted != nil && len(r.trusted.public) > 0 && module.VerifyIndex(v.index, v.signature, r.trusted.public) == nil
}

// show puts the index that was signed last into the store.
func (r *reconciler) show(ctx context.Context, l *look) {
	s, isShown := r.store.(store.Shown)
	if isShown {
		r.readPublished(ctx, l, s)
		if r.checkPublished(l); l.storeFails {
			return
		}
	}
	data := l.index.object.BinaryData
	err := r.store.Publish(ctx, l.index.list, data[module.IndexName], data[module.SignatureName])
	if err != nil {
		r.storeFailed(l, "cannot publish the index", err)
	}
	if l.behind = isShown && err != nil; isShown && err == nil {
		r.shown = &shown{at: l.now, index: data[module.IndexName], signature: data[module.SignatureName]}
	}
}

// storeFailed reports a fault of the store. Nothing more is asked of it, and no
// build is begun, until it is looked at again.
func (r *reconciler) storeFailed(l *look, doing string, err error) {
	if l.storeFails {
		return
	}
	l.storeFails = true
	reason := supply.StoreFailed
	if isFull(err) {
		reason = supply.StoreFull
	}
	l.problem(reason, store.Remedy(err), "%s of %s: %v", doing, r.store, err)
}
