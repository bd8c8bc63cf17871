package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	testRelease = "6.1.0-56-amd64"
	testBoot    = "3f1c9a52-0000-4000-8000-000000000001"
)

// machine is a folder in the shape of /proc and /sys, and the system calls on
// it: what the kernel in tests/vm does for real, in the small.
type machine struct {
	t    *testing.T
	root string
	mu   sync.Mutex
	// initErr is what init_module answers for a module, nil loads it.
	initErr error
	// probeErr is what it answers for an empty image.
	probeErr error
	// version is what a loaded module says of itself.
	version  string
	log      []string
	logAfter []string
	inits    int
	loads    int
	deletes  int
	// release is what uname -r prints; "" is testRelease.
	release string
	// kernelVersion is what uname -v prints.
	kernelVersion string
	params        string
	// during is called by each system call on a module, before it does anything.
	during func(call string)
	// loaded is called when init_module has loaded the module, before it returns.
	loaded func()
	// keys are those of the last repository.
	keys []string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), probeErr: unix.ENOEXEC, version: "8.9.0"}
	m.write("proc/modules", "")
	m.write("proc/self/status", "Name:\tx\nCapEff:\t0000000000010000\nSeccomp:\t2\n")
	m.write("proc/sys/kernel/random/boot_id", testBoot+"\n")
	m.write("proc/sys/kernel/modules_disabled", "0\n")
	m.write("hostsys/kernel/security/lockdown", "[none] integrity confidentiality\n")
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	// At once, as the kernel shows its files whole.
	if err := os.WriteFile(m.path(name)+".new", []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(m.path(name)+".new", m.path(name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) host() *Host {
	return &Host{Proc: m.path("proc"), Sys: m.path("sys"), HostSys: m.path("hostsys"), Kernel: m}
}

// load puts the module into the kernel.
func (m *machine) load(version string, refs int) {
	if err := os.MkdirAll(m.path("sys/module"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if _, err := os.Stat(m.path("sys/module/pf_ring")); err != nil {
		// A folder of its own for each load, as its inode tells them apart.
		m.loads++
		instance := fmt.Sprintf("instances/%d", m.loads)
		m.write(instance+"/version", "")
		if err := os.Symlink(m.path(instance), m.path("sys/module/pf_ring")); err != nil {
			m.t.Fatal(err)
		}
	}
	m.write("sys/module/pf_ring/version", version+"\n")
	for key, value := range parameterMap(m.params) {
		m.write("sys/module/pf_ring/parameters/"+key, value+"\n")
	}
	m.write("proc/net/pf_ring/info", "PF_RING Version          : "+version+"\n")
	// Last: the kernel calls a module live when the rest is there.
	m.write("proc/modules", fmt.Sprintf("ext4 1 0 - Live 0x0\npf_ring 1032192 %d - Live 0x0000000000000000 (OE)\n", refs))
}

func (m *machine) unload() {
	m.write("proc/modules", "ext4 1 0 - Live 0x0\n")
	for _, p := range []string{"sys/module/pf_ring", "proc/net/pf_ring"} {
		if err := os.RemoveAll(m.path(p)); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *machine) calls(call string) {
	if m.during != nil {
		m.during(call)
	}
}

func (m *machine) Release() (string, error) { return cmp.Or(m.release, testRelease), nil }

func (m *machine) InitModule(image []byte, params string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(image) == 0 {
		return m.probeErr
	}
	m.calls("init_module")
	m.inits++
	m.params = params
	m.log = append(m.log, m.logAfter...)
	if m.initErr != nil {
		return m.initErr
	}
	if m.host().Loaded("pf_ring") != nil {
		return unix.EEXIST
	}
	m.load(m.version, 0)
	if m.loaded != nil {
		m.loaded()
	}
	return nil
}

func (m *machine) DeleteModule(string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls("delete_module")
	m.deletes++
	data, err := os.ReadFile(m.path("proc/modules"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if f[0] == "pf_ring" && f[2] != "0" {
			return unix.EAGAIN
		}
		if f[0] == "pf_ring" {
			m.unload()
			return nil
		}
	}
	return unix.ENOENT
}

// Listen implements Kernel.
func (m *machine) Listen() KernelLog { return since{m, len(m.log)} }

func (m *machine) KernelVersion() string { return m.kernelVersion }

// since is the machine's log from a line on; nil if it has none at all.
type since struct {
	*machine
	line int
}

func (s since) Close() {}

func (s since) Lines() []string {
	if len(s.log) == 0 {
		return nil
	}
	return append([]string{}, s.log[s.line:]...)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func reasonOf(err error) string {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return string(r.reason)
	}
	return ""
}

// hangs is a repository that never answers.
type hangs struct{}

func (hangs) Fetch(ctx context.Context, _ string, _ int64) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hangs) String() string { return "https://hangs.example" }

// Whatever the files of a kernel hold, a node is read without failing, and a module
// that is not in the list is not loaded.
func FuzzKernelFiles(f *testing.F) {
	for _, text := range []string{
		"", "pf_ring 1032192 0 - Live 0x0 (OE)\n", "pf_ring", "pf_ring x -1 - Dead", "0::/\n", "4:memory:/a/b\n", "0::" + strings.Repeat("/..", 50) + "\n",
		"CapEff:\tffffffffffffffffff\nSeccomp:\t2\n", "[integrity]", "none ] [", "9223372036854775807", "-1", "max",
	} {
		f.Add(text)
	}
	root := f.TempDir()
	h := &Host{Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), HostSys: filepath.Join(root, "sys"), Kernel: &machine{root: root}}
	files := []string{"proc/modules", "proc/self/status", "proc/self/cgroup", "sys/kernel/security/lockdown", "sys/module/pf_ring/version", "cgroup/memory.max"}
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h.facts()
		if limit := h.memoryLimit(filepath.Join(root, "cgroup")); limit < 0 {
			t.Errorf("a limit of %d bytes", limit)
		}
		if m := h.Loaded("pf_ring"); m != nil && !strings.Contains(text, "pf_ring") {
			t.Errorf("%q lists it: %+v", text, m)
		}
		if lines := linesFrom(strings.Split(text, "\n"), time.Second); len(lines) > strings.Count(text, "\n")+1 {
			t.Errorf("%q", lines)
		}
		_ = checkParameters(text)
	})
}
