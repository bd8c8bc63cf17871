package node

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// beside decides what to do about a module that is loaded: the index alone
// tells whether another version is wanted. If it cannot be read, what is loaded
// stays.
func (l *loading) beside(ctx context.Context, loaded *LoadedModule) error {
	wanted, err := l.wanted(ctx)
	if err != nil {
		l.Log.Warn("a module is loaded; whether the repository has another version is not known", "error", err)
		return l.already(ctx, loaded)
	}
	if wanted == loaded.Version {
		return l.already(ctx, loaded)
	}
	return l.replace(ctx, loaded, wanted)
}

// wanted is the version that the repository has for this node.
func (l *loading) wanted(ctx context.Context) (string, error) {
	source, err := l.Source()
	if err != nil {
		return "", err
	}
	entry, index, err := module.Choose(ctx, source, l.request())
	if err != nil {
		return "", err
	}
	l.out.IndexExpires = index.Expires
	return entry.Version, nil
}

// already accepts the module that is loaded.
func (l *loading) already(ctx context.Context, m *LoadedModule) error {
	if l.Version != "" && m.Version != l.Version {
		return l.other(ctx, m, "version "+l.Version+" is wanted")
	}
	l.out.Module = l.provenance(m)
	return l.good(ctx, outcome.AlreadyLoaded)
}

// provenance is what is known of a module that was loaded before: what this
// boot's earlier outcome says, if it speaks of the same version.
func (l *loading) provenance(m *LoadedModule) outcome.Module {
	if b := l.before(m); b != nil {
		return b.Module
	}
	return outcome.Module{Version: m.Version, Verified: outcome.VerifiedNone}
}

// before is what an agent of this boot has said of the module that is loaded;
// nil if none has.
func (l *loading) before(m *LoadedModule) *outcome.Outcome {
	b, err := ReadOutcome(l.State)
	if err != nil {
		l.Log.Warn("the state file of an earlier run cannot be used", "error", err)
	}
	if b == nil || b.BootID == "" || b.BootID != l.out.BootID || b.Backend != outcome.PFRing || b.Module.Version != m.Version {
		return nil
	}
	return b
}

// other leaves another version alone. PF_RING is there all the same, so that is
// the backend; the reason says that it is not the wanted one.
func (l *loading) other(ctx context.Context, m *LoadedModule, why string) error {
	l.out.Module = l.provenance(m)
	l.out.Message = "version " + m.Version + " was loaded before and is left alone: " + why
	return l.good(ctx, outcome.OtherVersionLoaded)
}

// replace puts the wanted version in the place of m if the values ask for it
// and nothing uses m. The new module is there and verified before the old one
// goes.
func (l *loading) replace(ctx context.Context, m *LoadedModule, wanted string) error {
	want := "the repository has " + wanted
	if !l.ReplaceLoaded {
		return l.other(ctx, m, want+"; replaceLoaded would replace it")
	}
	if m.Refs > 0 {
		return l.other(ctx, m, want+", and it is in use")
	}
	v, err := l.fetch(ctx)
	if err != nil {
		return l.other(ctx, m, want+", which cannot be had: "+err.Error())
	}
	switch err := l.Host.Kernel.DeleteModule(l.ModuleName); {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EBUSY):
		return l.other(ctx, m, want+", and it is in use")
	case err != nil && !errors.Is(err, unix.ENOENT):
		return l.other(ctx, m, want+", and it could not be unloaded: "+err.Error())
	}
	if err := l.insert(ctx, v); err != nil {
		return err
	}
	if l.out.Reason == outcome.Loaded {
		l.out.Reason = outcome.Replaced
		l.out.Message = "version " + m.Version + " was replaced by " + v.Info.Version
	}
	return nil
}
