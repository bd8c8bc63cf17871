package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ProbeOptions say what a probe looks at.
type ProbeOptions struct {
	Host       *Host
	Node       string
	ModuleName string
	// Agent is the agent's version.
	Agent string
	// Sources are URLs of module repositories, Registries names of registries as
	// in images.
	Sources, Registries []string
	// Builds are URLs of what builds fetch, as for module.Reach.
	Builds []string
	Open   func(url string) (module.Source, error)
	Ping   func(ctx context.Context, registry string) error
	Reach  func(ctx context.Context, url string) error
}

// Probe looks at the node and asks each target, all at once, until ctx ends. It
// changes nothing.
func Probe(ctx context.Context, o ProbeOptions) outcome.Probe {
	blank := o.Host.blank(o.Node)
	p := outcome.Probe{
		Node: o.Node, Kernel: orElse(o.Host.line(o.Host.Proc, "sys/kernel/osrelease"), blank.Kernel), Arch: blank.Arch, BootID: blank.BootID, Agent: o.Agent,
		Host: o.Host.probe(), Loaded: o.Host.probeLoaded(o.ModuleName),
	}
	questions := o.questions()
	p.Targets = make([]outcome.ProbeTarget, len(questions))
	var asking sync.WaitGroup
	for i, q := range questions {
		asking.Go(func() {
			start := time.Now()
			shown, message, err := q.ask(ctx)
			p.Targets[i] = probeTarget(q.kind, orElse(shown, q.target), message, err)
			p.Targets[i].DurationMS = time.Since(start).Milliseconds()
		})
	}
	asking.Wait()
	p.Time = time.Now()
	return p
}

// question is one target to ask.
type question struct {
	kind, target string
	ask          func(context.Context) (shown, message string, err error)
}

func (o ProbeOptions) questions() []question {
	var all []question
	for _, url := range o.Sources {
		all = append(all, question{outcome.TargetSource, "", func(ctx context.Context) (string, string, error) { return probeSource(ctx, url, o.Open) }})
	}
	for i, target := range append(o.Registries[:len(o.Registries):len(o.Registries)], o.Builds...) {
		kind, reach := outcome.TargetRegistry, o.Ping
		if i >= len(o.Registries) {
			kind, reach = outcome.TargetBuild, o.Reach
		}
		all = append(all, question{kind, target, func(ctx context.Context) (string, string, error) { return target, "it answers", reach(ctx, target) }})
	}
	return all
}

// probeSource asks for the index, and for the list that repositories had before
// there was an index.
func probeSource(ctx context.Context, url string, open func(string) (module.Source, error)) (shown, message string, err error) {
	source, err := open(url)
	if err != nil {
		return "", "", err
	}
	path, err := module.Answers(ctx, source)
	if err != nil {
		return source.String(), "", err
	}
	return source.String(), path + " was read", nil
}

func probeTarget(kind, target, message string, err error) outcome.ProbeTarget {
	t := outcome.ProbeTarget{Kind: kind, Target: target, OK: err == nil, Message: message}
	if err == nil {
		return t
	}
	t.Reason, t.Message = outcome.SourceInvalid, err.Error()
	if e := (*module.Error)(nil); errors.As(err, &e) {
		t.Reason = e.Reason
		t.Target = orElse(t.Target, e.Where)
	}
	return t
}

// probe is what decides whether the kernel takes a module.
func (h *Host) probe() outcome.ProbeHost {
	f := h.facts()
	p := outcome.ProbeHost{
		Modules: yesOrNo(f.supportsModules), ModulesDisabled: h.disabledSwitch(), Lockdown: f.lockdown,
		SecureBoot: f.secureBoot, SigEnforce: f.sigEnforce, SELinux: f.seLinux, HostSys: yesOrNo(h.seesHostSys()),
		CapSysModule: yesOrNo(f.capSysModule), Seccomp: yesOrNo(f.seccomp), MayLoad: outcome.Unknown,
	}
	// Without modules or the capability the kernel's no says nothing of the
	// agent that is to load.
	err := error(nil)
	switch {
	case !f.supportsModules, f.modulesDisabled, f.capSysModule:
		err = h.mayLoad(f)
		p.MayLoad = yesOrNo(err == nil)
	}
	if r := (*refusal)(nil); errors.As(err, &r) {
		p.Reason = r.reason
	}
	return p
}

// disabledSwitch is the sysctl kernel.modules_disabled; a kernel without
// modules has none.
func (h *Host) disabledSwitch() string { return yesNo(h.line(h.Proc, "sys/kernel/modules_disabled")) }

func (h *Host) seesHostSys() bool {
	_, err := os.Stat(filepath.Join(h.HostSys, "kernel"))
	return h.HostSys != "" && err == nil
}

func (h *Host) probeLoaded(name string) *outcome.ProbeModule {
	m := h.Loaded(name)
	if m == nil {
		return nil
	}
	return &outcome.ProbeModule{Version: m.Version, Refs: m.Refs, Usable: h.usable(name)}
}

func yesOrNo(b bool) string {
	if b {
		return outcome.Yes
	}
	return outcome.No
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
