package node

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// The rows are those that were measured on Debian's 6.1 and 6.12; tests/vm sees
// them again in a real kernel. Here each also comes without the kernel's log,
// which a container mostly cannot read.
func TestDiagnoseTellsTheManyMeaningsOfAnErrnoApart(t *testing.T) {
	line := func(s string) []string { return []string{"<4>[   12.345678] " + s} }
	for name, c := range map[string]struct {
		a    attempt
		want outcome.Reason
		says string
	}{
		"lockdown, unsigned":     {attempt{err: unix.EPERM, facts: facts{lockdown: "integrity", secureBoot: "yes"}}, outcome.LockedDown, "lockdown=integrity, Secure Boot: yes"},
		"lockdown unreadable":    {attempt{err: unix.EPERM, facts: facts{lockdown: unknown}}, outcome.LockedDown, "cannot be read here"},
		"EPERM without cause":    {attempt{err: unix.EPERM, facts: facts{lockdown: "none"}}, outcome.KernelRejected, "EPERM"},
		"SELinux":                {attempt{err: unix.EACCES}, outcome.SELinuxDenied, "EACCES"},
		"unsigned":               {attempt{err: unix.EKEYREJECTED}, outcome.SignatureRequired, "this one is not signed"},
		"foreign key":            {attempt{err: unix.EKEYREJECTED, signed: true}, outcome.SignatureRequired, "not trusted"},
		"no such key":            {attempt{err: unix.ENOKEY, signed: true}, outcome.SignatureRequired, "ENOKEY"},
		"vermagic flags":         {attempt{err: unix.ENOEXEC, log: line("pf_ring: version magic 'a' should be 'b'")}, outcome.OtherBuild, "version magic 'a' should be 'b'"},
		"module_layout":          {attempt{err: unix.ENOEXEC, log: line("pf_ring: disagrees about version of symbol module_layout")}, outcome.SymbolMismatch, "module_layout"},
		"truncated":              {attempt{err: unix.ENOEXEC, log: line("Invalid ELF section header overflow")}, outcome.Truncated, "overflow"},
		"ENOEXEC, no log":        {attempt{err: unix.ENOEXEC}, outcome.SymbolMismatch, "headers"},
		"undefined symbol":       {attempt{err: unix.ENOENT, log: line("pf_ring: Unknown symbol foo (err -2)")}, outcome.SymbolMismatch, "foo"},
		"symbol CRC":             {attempt{err: unix.EINVAL, log: line("pf_ring: Unknown symbol printk (err -22)")}, outcome.SymbolMismatch, "printk"},
		"bad parameter":          {attempt{err: unix.EINVAL, parameters: "min_num_slots=x", log: line("pf_ring: `x' invalid for parameter `min_num_slots'")}, outcome.BadParameter, "min_num_slots"},
		"bad parameter, no log":  {attempt{err: unix.EINVAL, parameters: "min_num_slots=x"}, outcome.BadParameter, "min_num_slots=x"},
		"EINVAL, nothing known":  {attempt{err: unix.EINVAL, parameters: "min_num_slots=1"}, outcome.SymbolMismatch, "EINVAL"},
		"EINVAL of init, log":    {attempt{err: unix.EINVAL, log: line("pf_ring: cannot register")}, outcome.InitFailed, "cannot register"},
		"init fails":             {attempt{err: unix.ENXIO, log: line("[PF_RING] no luck")}, outcome.InitFailed, "ENXIO"},
		"ENOENT of init, log":    {attempt{err: unix.ENOENT, log: line("[PF_RING] no file")}, outcome.InitFailed, "ENOENT"},
		"parameter too large":    {attempt{err: unix.ERANGE, parameters: "min_num_slots=4294967296"}, outcome.BadParameter, "4294967296"},
		"out of memory":          {attempt{err: unix.ENOMEM}, outcome.KernelRejected, "ENOMEM"},
		"without module support": {attempt{err: unix.ENOSYS}, outcome.NoModuleSupport, "ENOSYS"},
	} {
		t.Run(name, func(t *testing.T) {
			got := diagnose(c.a)
			if got.reason != c.want || !strings.Contains(got.message, c.says) {
				t.Errorf("got %s: %s\nwant %s with %q", got.reason, got.message, c.want, c.says)
			}
			if strings.Contains(got.message, "<4>") || strings.Contains(got.message, "12.345") {
				t.Errorf("level and time of the kernel's line are in the message: %s", got.message)
			}
		})
	}
}

func TestAnotherDriversLogLineIsNotTakenForPFRings(t *testing.T) {
	got := diagnose(attempt{err: unix.ENXIO, log: []string{"<6>[1.0] usb 1-1: new device"}})
	if strings.Contains(got.message, "usb") {
		t.Error(got.message)
	}
}

func TestOnlyLinesFromAMomentOnCount(t *testing.T) {
	log := []string{"<6>[    1.000000] old", "<6>[  105.500000] new", "without a time", "<6>[x] neither"}
	if got := linesFrom(log, 100*time.Second); len(got) != 3 || got[0] != log[1] {
		t.Errorf("%q", got)
	}
	if got := linesFrom(nil, 0); got == nil {
		t.Error("an empty log counts as one that may not be read")
	}
}

func TestMayLoadFindsWhatStopsTheCallerBeforeAnythingIsFetched(t *testing.T) {
	all := facts{supportsModules: true, capSysModule: true, seccomp: true}
	with := func(change func(*facts)) facts { f := all; change(&f); return f }
	for name, c := range map[string]struct {
		facts facts
		probe error
		want  outcome.Reason
	}{
		"free":              {all, unix.ENOEXEC, ""},
		"free, other errno": {all, unix.EINVAL, ""},
		"no modules":        {with(func(f *facts) { f.supportsModules = false }), unix.ENOSYS, outcome.NoModuleSupport},
		"disabled":          {with(func(f *facts) { f.modulesDisabled = true }), unix.EPERM, outcome.ModulesDisabled},
		"no capability":     {with(func(f *facts) { f.capSysModule = false }), unix.EPERM, outcome.CapabilityMissing},
		"seccomp":           {all, unix.EPERM, outcome.SeccompDenied},
		"seccomp ENOSYS":    {all, unix.ENOSYS, outcome.SeccompDenied},
		"user namespace":    {with(func(f *facts) { f.seccomp = false }), unix.EPERM, outcome.CapabilityMissing},
		"SELinux":           {all, unix.EACCES, outcome.SELinuxDenied},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.probeErr = c.probe
			if got := reasonOf(m.host().mayLoad(c.facts)); got != string(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFactsThatCannotBeReadAreUnknownAndNeverOff(t *testing.T) {
	m := newMachine(t)
	f := (&Host{Proc: m.path("proc"), Sys: m.path("nothing"), HostSys: m.path("nothing"), Kernel: m}).facts()
	if f.lockdown != unknown || f.secureBoot != unknown || f.seLinux != unknown || f.sigEnforce != unknown {
		t.Errorf("%+v", f)
	}
	m.write("hostsys/kernel/security/lockdown", "none [integrity] confidentiality\n")
	m.write("hostsys/fs/selinux/enforce", "1")
	m.write("hostsys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\x06\x00\x00\x00\x01")
	m.write("sys/module/module/parameters/sig_enforce", "N\n")
	f = m.host().facts()
	want := facts{supportsModules: true, capSysModule: true, seccomp: true, lockdown: "integrity", sigEnforce: "no", secureBoot: "yes", seLinux: "yes"}
	if f != want {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

func TestParametersThatTheKernelWouldMisreadAreRefused(t *testing.T) {
	for _, good := range []string{"", "a=1", "min_num_slots=65536 quick_mode=0", "x=0x10"} {
		if err := checkParameters(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"a", "=1", "a=", `a="1`, "a-b=1 c", "a=1\x00"} {
		if checkParameters(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
