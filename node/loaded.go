package node

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// difference is how a loaded module is not the wanted one.
type difference struct {
	reason outcome.Reason
	// what names the loaded one, want what should be there.
	what, want string
}

// beside decides what to do about a module that is loaded: the index tells
// whether another is wanted, and what was loaded before tells of the same
// version whether it is the same. If the index cannot be read, what is loaded
// stays, unless its parameters are not the wanted ones.
func (l *loading) beside(ctx context.Context, loaded *LoadedModule) error {
	entry, err := l.wanted(ctx)
	if err != nil {
		l.Log.Warn("a module is loaded; whether the repository has another is unknown", "error", err)
	}
	d := l.differs(loaded, entry, err == nil)
	if d == nil {
		return l.already(ctx, loaded)
	}
	return l.replace(ctx, loaded, *d)
}

// wanted is what the repository has for this node.
func (l *loading) wanted(ctx context.Context) (module.Entry, error) {
	source, err := l.Source()
	if err != nil {
		return module.Entry{}, err
	}
	entry, index, err := module.Choose(ctx, source, l.request())
	if err != nil {
		return module.Entry{}, err
	}
	l.out.IndexExpires = index.Expires
	return entry, nil
}

// differs compares the loaded module with the entry of the index, if that is
// known, and its parameters with those of the values; nil when all is as wanted.
func (l *loading) differs(m *LoadedModule, entry module.Entry, known bool) *difference {
	before := l.before(m)
	had := ""
	if before != nil {
		had = before.Module.Parameters
	}
	switch {
	case !known && l.Version != "" && m.Version != l.Version:
		return &difference{outcome.OtherVersionLoaded, "version " + m.Version, "version " + l.Version + " is wanted"}
	case !known:
	case entry.Version != m.Version:
		return &difference{outcome.OtherVersionLoaded, "version " + m.Version, "the repository has " + entry.Version}
	case before != nil && otherBuild(before.Module, entry):
		return &difference{outcome.OtherBuild, fmt.Sprintf("version %s (sha256 %.12s)", m.Version, before.Module.SHA256), fmt.Sprintf("the repository has another build of it (sha256 %.12s)", entry.SHA256)}
	case before == nil && entry.SrcVersion != "" && m.SrcVersion != "" && entry.SrcVersion != m.SrcVersion:
		return &difference{outcome.OtherBuild, fmt.Sprintf("version %s (srcversion %s)", m.Version, m.SrcVersion), fmt.Sprintf("the repository has another build of it (srcversion %s)", entry.SrcVersion)}
	}
	if how := l.Host.otherParameters(l.ModuleName, l.Parameters, had); how != "" {
		return &difference{outcome.OtherParameters, "version " + m.Version, "its parameters differ from the values (" + how + ")"}
	}
	return nil
}

// otherBuild tells whether an entry of the index is another build than the one
// that was loaded. The same module compressed otherwise is another file and no
// other build; where an index or an outcome is older than the digest of the module
// itself, the file is all there is to compare.
func otherBuild(had outcome.Module, entry module.Entry) bool {
	if had.ModuleSHA256 != "" && entry.ModuleSHA256 != "" {
		return had.ModuleSHA256 != entry.ModuleSHA256
	}
	return had.SHA256 != "" && had.SHA256 != entry.SHA256
}

// already accepts the module that is loaded.
func (l *loading) already(ctx context.Context, m *LoadedModule) error {
	if l.Version != "" && m.Version != l.Version {
		return l.other(ctx, m, difference{outcome.OtherVersionLoaded, "version " + m.Version, "version " + l.Version + " is wanted"}, "")
	}
	l.out.Module = l.provenance(m)
	return l.good(ctx, outcome.AlreadyLoaded)
}

// provenance is what is known of a module that was loaded before: what this
// boot's earlier outcome says of the very same load.
func (l *loading) provenance(m *LoadedModule) outcome.Module {
	if b := l.before(m); b != nil {
		return b.Module
	}
	return m.foreign()
}

// before is what an agent of this boot has said of the very load of the module;
// nil if none has.
func (l *loading) before(m *LoadedModule) *outcome.Outcome {
	b, err := ReadOutcome(l.State)
	if err != nil {
		l.Log.Warn("the state file of an earlier run cannot be used", "error", err)
	}
	if b == nil || b.BootID == "" || b.BootID != l.out.BootID || b.Backend != outcome.PFRing || !m.is(b.Module) {
		return nil
	}
	return b
}

// other leaves a module that is not the wanted one alone. PF_RING is there all
// the same, so that is the backend; the reason says how it differs.
func (l *loading) other(ctx context.Context, m *LoadedModule, d difference, why string) error {
	l.out.Module = l.provenance(m)
	l.out.Message = d.what + " was already loaded and is left in place: " + d.want + why
	return l.good(ctx, d.reason)
}

// replace puts the wanted module in the place of m if the values ask for it and
// nothing uses m. The new module is there and verified before the old one goes.
func (l *loading) replace(ctx context.Context, m *LoadedModule, d difference) error {
	if !l.ReplaceLoaded {
		return l.other(ctx, m, d, "; replaceLoaded would replace it")
	}
	if m.Refs > 0 {
		return l.other(ctx, m, d, ", and it is in use")
	}
	v, err := l.fetch(ctx)
	if err != nil {
		return l.other(ctx, m, d, ", which is unavailable: "+err.Error())
	}
	defer turn(ctx, l.State, l.Log)()
	if now := l.Host.Loaded(l.ModuleName); now != nil && now.Instance != m.Instance {
		return l.already(ctx, now) // another agent was faster
	}
	if ctx.Err() != nil {
		return l.other(ctx, m, d, ", as the time for loading was over")
	}
	if err := l.dependencies(v); err != nil {
		return l.other(ctx, m, d, ", and "+err.Error())
	}
	// Between the two modules the node has none, so nothing ends the agent there.
	ctx = context.WithoutCancel(ctx)
	switch err := l.Host.Kernel.DeleteModule(l.ModuleName); {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EBUSY):
		return l.other(ctx, m, d, ", and it is in use")
	case err != nil && !errors.Is(err, unix.ENOENT):
		return l.other(ctx, m, d, ", and it could not be unloaded: "+err.Error())
	}
	if err := l.insert(ctx, v); err != nil {
		return err
	}
	if l.out.Reason == outcome.Loaded {
		l.out.Reason = outcome.Replaced
		l.out.Message = d.what + " was replaced by " + v.Info.Version + ": " + d.want
	}
	return nil
}
