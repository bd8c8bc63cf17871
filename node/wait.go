package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// WaitMode says who is to load the module.
type WaitMode string

// The modes of waiting. With WaitAuto the state file that Load leaves on the
// host can end it early.
const (
	WaitKMM  WaitMode = "kmm"
	WaitAuto WaitMode = "auto"
)

// WaitOptions say what to wait for and for how long.
type WaitOptions struct {
	Host       *Host
	Node       string
	ModuleName string
	Mode       WaitMode
	// Timeout of 0 waits indefinitely.
	Timeout time.Duration
	// State is the state file of auto mode, Watch the one of the agent that watches.
	State, Watch string
	Log          *slog.Logger
}

// Wait waits until somebody else has loaded the module and it answers, and
// returns what happened to it.
func Wait(ctx context.Context, o WaitOptions) outcome.Outcome {
	start := time.Now()
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	out := o.Host.blank(o.Node)
	o.wait(ctx, &out)
	out.Time = time.Now()
	out.DurationMS.Total = time.Since(start).Milliseconds()
	return out
}

func (o WaitOptions) wait(ctx context.Context, out *outcome.Outcome) {
	if !o.Host.supportsModules() {
		out.Reason = outcome.NoModuleSupport
		out.Message = "this kernel does not support loadable modules: /proc/modules does not exist"
		return
	}
	// Looking costs two small reads; the pause grows to a second.
	reason, pause := outcome.AlreadyLoaded, 50*time.Millisecond
	for {
		if m := o.Host.Loaded(o.ModuleName); m != nil && m.Live && o.Host.usable(o.ModuleName) {
			out.Backend, out.Reason = outcome.PFRing, reason
			out.Message = o.ModuleName + " " + m.Version + " answers"
			out.Module = o.origin(out, m)
			return
		}
		if before := o.given(out); before != nil {
			*out = *before
			return
		}
		if reason == outcome.AlreadyLoaded {
			o.Log.Info("waiting until the module is loaded", "module", o.ModuleName, "by", string(o.Mode), "timeout", o.Timeout.String())
			reason = outcome.Loaded
		}
		if wait.For(ctx, pause) != nil {
			break
		}
		pause = min(pause*2, time.Second)
	}
	out.Reason, out.Message = outcome.WaitTimeout, o.why()
}

// given is an outcome of this boot that says that there is nothing to wait for:
// of the load, or of the agent that unloaded the module as it ended.
func (o WaitOptions) given(now *outcome.Outcome) *outcome.Outcome {
	if o.Mode != WaitAuto {
		return nil
	}
	for _, path := range []string{o.State, o.Watch} {
		before, err := ReadOutcome(path)
		if err != nil {
			o.Log.Warn("the state file cannot be used", "error", err)
		}
		if before != nil && before.BootID != "" && before.BootID == now.BootID && before.Backend == outcome.Libpcap {
			return before
		}
	}
	return nil
}

func (o WaitOptions) origin(now *outcome.Outcome, m *LoadedModule) outcome.Module {
	if o.Mode == WaitKMM {
		k := m.foreign()
		k.Source, k.Verified = "kmm", outcome.VerifiedKMM
		return k
	}
	if before, err := ReadOutcome(o.State); err == nil && before != nil && before.BootID == now.BootID && m.is(before.Module) {
		return before.Module
	}
	return m.foreign()
}

// why says how far it got.
func (o WaitOptions) why() string {
	waited := "before waitTimeout (" + o.Timeout.String() + ") was over"
	switch m := o.Host.Loaded(o.ModuleName); {
	case m == nil:
		return "nothing has loaded " + o.ModuleName + " " + waited
	case !m.Live:
		return o.ModuleName + " was still being loaded " + waited
	}
	return o.ModuleName + " is loaded, but /proc/net/" + o.ModuleName + "/info did not answer " + waited
}
