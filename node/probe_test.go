package node

import (
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func probeOf(t *testing.T, m *machine) outcome.Probe {
	t.Helper()
	return Probe(t.Context(), ProbeOptions{Host: m.host(), Node: "n1", ModuleName: "pf_ring", Agent: "1.0.0"})
}

func TestProbeSaysWhatTheKernelAllows(t *testing.T) {
	const efivar = "hostsys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	good := outcome.ProbeHost{
		Modules: "yes", ModulesDisabled: "no", Lockdown: "none", SecureBoot: "unknown", SigEnforce: "unknown", SELinux: "unknown",
		HostSys: "yes", CapSysModule: "yes", Seccomp: "yes", MayLoad: "yes",
	}
	for name, c := range map[string]struct {
		change func(m *machine)
		want   func(h *outcome.ProbeHost)
	}{
		"all well":      {func(*machine) {}, func(*outcome.ProbeHost) {}},
		"no capability": {func(m *machine) { m.write("proc/self/status", "CapEff:\t0\nSeccomp:\t0\n") }, func(h *outcome.ProbeHost) { h.CapSysModule, h.Seccomp, h.MayLoad = "no", "no", "unknown" }},
		"no modules": {func(m *machine) { m.remove("proc/modules"); m.remove("proc/sys/kernel/modules_disabled") }, func(h *outcome.ProbeHost) {
			h.Modules, h.ModulesDisabled, h.MayLoad, h.Reason = "no", "unknown", "no", outcome.NoModuleSupport
		}},
		"disabled": {func(m *machine) { m.write("proc/sys/kernel/modules_disabled", "1\n") }, func(h *outcome.ProbeHost) {
			h.ModulesDisabled, h.MayLoad, h.Reason = "yes", "no", outcome.ModulesDisabled
		}},
		"seccomp":      {func(m *machine) { m.probeErr = unix.EPERM }, func(h *outcome.ProbeHost) { h.MayLoad, h.Reason = "no", outcome.SeccompDenied }},
		"SELinux":      {func(m *machine) { m.probeErr = unix.EACCES; m.write("hostsys/fs/selinux/enforce", "1") }, func(h *outcome.ProbeHost) { h.SELinux, h.MayLoad, h.Reason = "yes", "no", outcome.SELinuxDenied }},
		"locked down":  {func(m *machine) { m.write("hostsys/kernel/security/lockdown", "none [integrity] confidentiality\n") }, func(h *outcome.ProbeHost) { h.Lockdown = "integrity" }},
		"no host /sys": {func(m *machine) { m.remove("hostsys") }, func(h *outcome.ProbeHost) { h.Lockdown, h.HostSys = "unknown", "no" }},
		"a kernel without it": {func(m *machine) {
			m.remove("hostsys/kernel/security/lockdown")
			m.write("hostsys/kernel/security/lsm", "capability")
		}, func(h *outcome.ProbeHost) { h.Lockdown = "none" }},
		"signatures enforced":  {func(m *machine) { m.write("sys/module/module/parameters/sig_enforce", "Y\n") }, func(h *outcome.ProbeHost) { h.SigEnforce = "yes" }},
		"signatures not known": {func(m *machine) { m.write("sys/module/kernel/parameters/panic", "0\n") }, func(h *outcome.ProbeHost) { h.SigEnforce = "no" }},
		"Secure Boot":          {func(m *machine) { m.write(efivar, "\x06\x00\x00\x00\x01") }, func(h *outcome.ProbeHost) { h.SecureBoot = "yes" }},
		"no EFI":               {func(m *machine) { m.write("hostsys/firmware/acpi/x", "") }, func(h *outcome.ProbeHost) { h.SecureBoot = "no" }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c.change(m)
			want := good
			c.want(&want)
			if got := probeOf(t, m).Host; got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if m.inits > 0 {
				t.Error("something was loaded")
			}
		})
	}
}

func (m *machine) remove(name string) {
	if err := os.RemoveAll(m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

func TestProbeSeesALoadedModule(t *testing.T) {
	m := newMachine(t)
	if p := probeOf(t, m); p.Loaded != nil || p.Kernel != testRelease || p.BootID != testBoot || p.Node != "n1" {
		t.Errorf("%+v", p)
	}
	m.load("8.6.0", 2)
	if p := probeOf(t, m); p.Loaded == nil || *p.Loaded != (outcome.ProbeModule{Version: "8.6.0", Refs: 2, Usable: true}) {
		t.Errorf("%+v", p.Loaded)
	}
}

func TestProbeAsksSourcesAndRegistries(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	p := Probe(t.Context(), ProbeOptions{
		Host: m.host(), Sources: []string{"good", "file:///nowhere", "bad://x"}, Registries: []string{"reg.example", "down.example"},
		Open: func(url string) (module.Source, error) {
			if url == "good" {
				return opts.Source()
			}
			return module.OpenSource(module.SourceOptions{URL: url})
		},
		Ping: func(_ context.Context, registry string) error {
			if registry == "reg.example" {
				return nil
			}
			return &module.Error{Reason: outcome.SourceTimeout, What: "ask", Why: "silence"}
		},
	})
	type row struct {
		kind   string
		ok     bool
		reason outcome.Reason
	}
	want := []row{{"source", true, ""}, {"source", false, outcome.SourceUnreachable}, {"source", false, outcome.SourceInvalid}, {"registry", true, ""}, {"registry", false, outcome.SourceTimeout}}
	for i, got := range p.Targets {
		if (row{got.Kind, got.OK, got.Reason}) != want[i] || got.Message == "" {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
	if len(p.Targets) != len(want) || p.Targets[3].Target != "reg.example" {
		t.Errorf("%+v", p.Targets)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := Probe(ctx, ProbeOptions{
		Host: newMachine(t).host(), Sources: []string{"https://hangs.example"}, Open: func(string) (module.Source, error) { return hangs{}, nil },
	})
	if p.Targets[0].OK || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("%+v", p.Targets)
	}
}
