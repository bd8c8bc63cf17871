package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Whatever somebody has put at the place of the state file, load and wait end.
func TestNothingAtTheStateFilesPlaceHoldsAnybodyUp(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":     func(path string) error { return os.Mkdir(path, 0o755) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		"10 GB of nothing": func(path string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(10<<30), f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			opts := loadOptions(t, m)
			opts.State = m.path("state.json")
			if err := put(opts.State); err != nil {
				t.Fatal(err)
			}
			check(t, Load(t.Context(), opts), outcome.PFRing, outcome.Loaded, "")
			check(t, Load(t.Context(), opts), outcome.PFRing, outcome.AlreadyLoaded, "")
			m.unload()
			w := waitOptions(m, WaitAuto, 10*time.Millisecond)
			w.State = opts.State
			if o := Wait(t.Context(), w); o.Reason != outcome.WaitTimeout {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A repository on a volume whose index is a pipe or a device ends at once too.
func TestARepositoryOfPipesEnds(t *testing.T) {
	for _, name := range []string{module.IndexName, module.SignatureName} {
		m := newMachine(t)
		opts := loadOptions(t, m)
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		opts.Source = func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: "file://" + dir}) }
		check(t, Load(t.Context(), opts), outcome.Libpcap, outcome.SourceInvalid, "not a regular file")
	}
}

// An agent that is asked to end while it loads says so, and not that time was
// over: its caller writes nothing then.
func TestAnInterruptedLoadIsNoVerdict(t *testing.T) {
	m := newMachine(t)
	opts := loadOptions(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	opts.Source = func() (module.Source, error) { cancel(); return hangs{}, nil }
	if o := Load(ctx, opts); o.Backend != outcome.Libpcap || ctx.Err() == nil {
		t.Errorf("%+v", o)
	}
}

func TestAMissingDependencyIsNamedBeforeLoading(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*machine)
		want    outcome.Reason
	}{
		"missing":  {func(*machine) {}, outcome.DependencyMissing},
		"loaded":   {func(m *machine) { m.write("proc/modules", "failover 1 0 - Live 0x0\nptp_kvm 1 0 - Live 0x0\n") }, outcome.Loaded},
		"built in": {func(m *machine) { m.write("sys/module/failover/x", ""); m.write("sys/module/ptp_kvm/x", "") }, outcome.Loaded},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c.prepare(m)
			o := Load(t.Context(), loadOptions(t, m, "depends=failover,ptp-kvm"))
			if o.Reason != c.want || (c.want != outcome.Loaded && m.inits > 0) {
				t.Errorf("%+v, %d loads", o, m.inits)
			}
		})
	}
}
