package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// usableWithin is how long PF_RING may take to answer after init_module.
const usableWithin = 2 * time.Second

// LoadOptions say which module to load and what to do when another is there.
type LoadOptions struct {
	Host *Host
	Node string
	// ModuleName is the kernel's name of it, pf_ring.
	ModuleName string
	// Source is opened only when something has to be fetched.
	Source func() (module.Source, error)
	// Version pins a version; "" takes the highest.
	Version    string
	Verify     outcome.Verified
	PublicKeys []string
	MinSerial  int64
	Parameters string
	// ReplaceLoaded replaces another version when nothing uses it.
	ReplaceLoaded bool
	// Memory bounds in bytes what is held at once; 0 means no bound.
	Memory int64
	// Timeout bounds all of it: finding, fetching and loading.
	Timeout time.Duration
	// State is the file on the host in which the agent's last outcome stands. In
	// the same boot it tells where a module that is loaded came from.
	State string
	// Cache is the folder on the host for copies of modules and for what was seen
	// of repositories; "" keeps none.
	Cache string
	// Brief is how long a repository may take to begin its answer where the cache
	// has the module for this kernel; 0 is 5 seconds.
	Brief time.Duration
	// Watch is the file in which an agent that runs says what holds, "" for none:
	// its time tells that one watches over the module.
	Watch string
	// Linger is how long a module that no agent has watched over must stay loaded
	// before it counts: KMM may be about to unload it. 0 takes it at once.
	Linger time.Duration
	Log    *slog.Logger
}

// Load makes sure that the module is loaded, and returns what happened to it. It
// never fails otherwise than by an outcome with backend libpcap.
func Load(ctx context.Context, o LoadOptions) outcome.Outcome {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	l := &loading{LoadOptions: o, start: time.Now(), out: o.Host.blank(o.Node)}
	if err := l.run(ctx); err != nil {
		l.refused(err)
	}
	l.out.Time = time.Now()
	l.out.DurationMS.Total = time.Since(l.start).Milliseconds()
	return l.out
}

// loading is one run of Load.
type loading struct {
	LoadOptions
	start time.Time
	facts facts
	out   outcome.Outcome
	// keep remembers the module that was fetched, once it is loaded; away is why
	// it came from the node's copy, if it did.
	keep func()
	away error
}

// blank is an outcome with what is known of the node before anything is tried.
func (h *Host) blank(node string) outcome.Outcome {
	o := outcome.Outcome{
		SchemaVersion: outcome.SchemaVersion, Node: node, Arch: h.Arch(), BootID: h.BootID(),
		Backend: outcome.Libpcap, Reason: outcome.Internal, Time: time.Now(),
	}
	// Without a release nothing is found, and that is reported then.
	o.Kernel, _ = h.Kernel.Release()
	return o
}

func (l *loading) run(ctx context.Context) error {
	if err := checkParameters(l.Parameters); err != nil {
		return refuse(outcome.BadParameter, "%v", err)
	}
	l.forget()
	l.facts = l.Host.facts()
	l.Log.Debug("the node", "kernel", l.out.Kernel, "arch", l.out.Arch, "facts", l.facts)
	loaded := l.stays(ctx, l.Host.settled(ctx, l.ModuleName))
	// A module that is loaded can only give way if this process may load.
	if err := l.Host.mayLoad(l.facts); err != nil {
		if loaded == nil {
			return err
		}
		if d := l.differs(loaded, module.Entry{}, false); d != nil {
			return l.other(ctx, loaded, *d, ", and this agent may not load: "+err.Error())
		}
		return l.already(ctx, loaded)
	}
	if loaded != nil {
		return l.beside(ctx, loaded)
	}
	v, err := l.fetch(ctx)
	if err != nil {
		return err
	}
	defer turn(ctx, l.State, l.Log)()
	return l.insert(ctx, v)
}

func (l *loading) request() module.Request {
	return module.Request{
		Kernel: l.out.Kernel, KernelVersion: l.Host.Kernel.KernelVersion(), Arch: l.out.Arch, Version: l.Version, ModuleName: l.ModuleName,
		Verify: l.Verify, PublicKeys: l.PublicKeys, MinSerial: l.MinSerial, Memory: l.Memory,
	}
}

// settled returns the loaded module. One that is just coming or going, such as
// by another agent or by KMM, is given the time to.
func (h *Host) settled(ctx context.Context, name string) *LoadedModule {
	deadline := time.Now().Add(10 * time.Second)
	for {
		m := h.Loaded(name)
		if m == nil || m.Live || time.Now().After(deadline) || wait.For(ctx, 50*time.Millisecond) != nil {
			return m
		}
	}
}

func (l *loading) fetch(ctx context.Context) (*module.Verified, error) {
	start := time.Now()
	defer func() { l.out.DurationMS.Fetch = time.Since(start).Milliseconds() }()
	source, err := l.Source()
	if err != nil {
		return nil, err
	}
	l.out.Module.Source = source.String()
	v, keep, away, err := cache{dir: l.Cache, log: l.Log, brief: l.Brief}.get(ctx, source, l.request())
	if err != nil {
		return nil, err
	}
	l.keep, l.away = keep, away
	l.out.FetchedBytes, l.out.IndexExpires = v.FetchedBytes, v.IndexExpires
	for _, w := range v.Warnings {
		l.Log.Warn(w)
	}
	if names := unknownParameters(l.Parameters, v.Info.ParameterNames()); len(names) > 0 {
		l.Log.Warn("unknown module parameters, which the kernel ignores", "parameters", names)
	}
	return v, nil
}

// insert hands the very bytes that were verified to the kernel, in this agent's
// turn.
func (l *loading) insert(ctx context.Context, v *module.Verified) error {
	l.out.Module = outcome.Module{
		Version: v.Info.Version, SHA256: v.SHA256, Source: v.Source, Verified: v.Proof,
		SrcVersion: v.Info.SrcVersion, ModuleSHA256: v.Entry.ModuleSHA256, Serial: v.Serial, Cached: l.away != nil, Parameters: strings.Join(strings.Fields(l.Parameters), " "),
	}
	if err := ctx.Err(); err != nil {
		return refuse(outcome.SourceTimeout, "loading timed out before the module was fetched")
	}
	if err := l.dependencies(v); err != nil {
		return err
	}
	log := l.Host.Kernel.Listen()
	defer log.Close()
	start := time.Now()
	err := l.Host.Kernel.InitModule(v.Data, l.Parameters)
	l.out.DurationMS.Load = time.Since(start).Milliseconds()
	if errors.Is(err, unix.EEXIST) {
		// Another agent was faster.
		if m := l.Host.settled(ctx, l.ModuleName); m != nil {
			return l.already(ctx, m)
		}
		return refuse(outcome.KernelRejected, "the kernel says that the module is loaded (EEXIST), and does not list it: it may be built in")
	}
	if err != nil {
		return diagnose(attempt{err: err, facts: l.facts, signed: v.Info.Signed, parameters: l.Parameters, log: log.Lines()})
	}
	// It is loaded, so what is known of it is written down, whoever wants this agent to
	// end: the next one would take it for a module that nobody has verified.
	ctx = context.WithoutCancel(ctx)
	// Before anybody else can have loaded another: it is ours until it goes.
	l.out.Module.Instance = inode(filepath.Join(l.Host.Sys, "module", l.ModuleName))
	if err := l.good(ctx, outcome.Loaded); err != nil {
		return err
	}
	if l.away != nil {
		l.out.Message += "; this is the node's own copy, verified again, since the repository could not be reached: " + l.away.Error()
	}
	l.keep()
	// Before the turn is another's, which must find whose this load is.
	l.out.Time = time.Now()
	Record{State: l.State}.Write(l.out, l.Log)
	return nil
}

// dependencies fails when the module needs another one that is not loaded.
func (l *loading) dependencies(v *module.Verified) error {
	if missing := l.Host.missing(v.Info.Depends); len(missing) > 0 {
		return refuse(outcome.DependencyMissing, "the module depends on %s, which is not loaded on this node", strings.Join(missing, ", "))
	}
	return nil
}

// good sets a good outcome once PF_RING answers.
func (l *loading) good(ctx context.Context, reason outcome.Reason) error {
	for start := time.Now(); !l.Host.usable(l.ModuleName); {
		if time.Since(start) > usableWithin || wait.For(ctx, 20*time.Millisecond) != nil {
			return refuse(outcome.NotUsable, "the module is loaded, but /proc/net/%s/info does not answer", l.ModuleName)
		}
	}
	l.out.Backend, l.out.Reason = outcome.PFRing, reason
	if l.out.Message == "" {
		l.out.Message = l.ModuleName + " " + l.out.Module.Version + " answers"
	}
	return nil
}

// refused turns an error into an outcome.
func (l *loading) refused(err error) {
	l.out.Backend, l.out.Reason, l.out.Message = outcome.Libpcap, outcome.Internal, err.Error()
	if r := (*refusal)(nil); errors.As(err, &r) {
		l.out.Reason = r.reason
	} else if e := (*module.Error)(nil); errors.As(err, &e) {
		l.out.Reason = e.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		l.out.Reason = outcome.SourceTimeout
		l.out.Message = "the time for loading (" + l.Timeout.String() + ") was over: " + err.Error()
	}
}
