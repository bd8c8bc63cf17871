package node

import (
	"context"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestTheNextRepositoryIsAskedForWhatTheFirstLacks(t *testing.T) {
	always := func(o LoadOptions) func(context.Context) LoadOptions {
		return func(context.Context) LoadOptions { return o }
	}
	without := func(m *machine, kernel string) LoadOptions {
		o := loadOptions(t, m)
		dir := t.TempDir()
		r := moduletest.NewRepository(t)
		r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: kernel, Arch: m.host().Arch()}, "zst")
		r.Sign().Write(dir)
		o.PublicKeys = []string{r.PublicKey}
		o.Source = func() (module.Source, error) { return module.OpenSource(module.SourceOptions{URL: "file://" + dir}) }
		return o
	}
	t.Run("lacks", func(t *testing.T) {
		m := newMachine(t)
		o := LoadFirst(t.Context(), always(without(m, "9.9.9")), always(loadOptions(t, m)))
		check(t, o, outcome.PFRing, outcome.Loaded, "answers")
	})
	t.Run("untrusted", func(t *testing.T) {
		m := newMachine(t)
		bad := loadOptions(t, m)
		bad.PublicKeys = nil
		check(t, LoadFirst(t.Context(), always(bad), always(loadOptions(t, m))), outcome.PFRing, outcome.Loaded, "answers")
	})
	// A loaded module that is left alone is usable: what others have changes nothing.
	t.Run("another build is loaded", func(t *testing.T) {
		m := newMachine(t)
		opts := loadOptions(t, m)
		opts.State = m.path("state.json")
		Record{State: opts.State}.Write(Load(t.Context(), opts), quiet())
		opts.Source = loadOptions(t, m, "rebuilt=yes").Source
		opts.PublicKeys = m.keys
		never := func(context.Context) LoadOptions {
			t.Error("the next repository was asked, and the module is loaded")
			return opts
		}
		check(t, LoadFirst(t.Context(), always(opts), never), outcome.PFRing, outcome.OtherBuild, "another build")
	})
	t.Run("none has it", func(t *testing.T) {
		m := newMachine(t)
		o := LoadFirst(t.Context(), always(without(m, "9.9.9")), always(without(m, "9.9.8")))
		check(t, o, outcome.Libpcap, outcome.NoModuleForKernel, "; before that ")
	})
	t.Run("the kernel refuses", func(t *testing.T) {
		m := newMachine(t)
		bad := loadOptions(t, m)
		bad.Parameters = "min_num_slots=a b=c\""
		never := func(context.Context) LoadOptions {
			t.Error("the next repository was asked, which changes nothing")
			return loadOptions(t, m)
		}
		if o := LoadFirst(t.Context(), always(bad), never); o.Reason == outcome.Loaded {
			t.Errorf("%+v", o)
		}
	})
}
