package vm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// row is one cause, what the kernel says of it, and what the agent has to.
type row struct {
	name string
	// module is the file, entered for the running kernel as version 8.9.0.
	module []byte
	format string
	// spoil changes the repository after it was signed.
	spoil func(t *testing.T, r *moduletest.Repository)
	flags []string
	// errno is what init_module itself answers to the file, "0" for nothing; ""
	// where a file that is not loaded says nothing.
	errno string
	// reason is the agent's, says a part of its message. Without the kernel's
	// log it may know less: blindReason, if not "".
	reason      outcome.Reason
	says        string
	blindReason outcome.Reason
	// logs is a part of what the agent logs.
	logs string
	// live is whether the module is there after it.
	live bool
}

// prepare puts the row's files into a machine that is not booted yet.
func (w row) prepare(t *testing.T, r *rig) {
	t.Helper()
	format := w.format
	if format == "" {
		format = "raw"
	}
	name := w.folder()
	repository := r.repository(t, name, "8.9.0", w.module, format)
	if w.spoil != nil {
		for path := range repository.Files {
			delete(r.files, "/repositories/"+name+"/"+path)
		}
		w.spoil(t, repository)
		r.keep(name, repository)
	}
	r.files["/modules/"+name+".ko"] = w.module
}

func (w row) folder() string { return strings.ReplaceAll(w.name, " ", "-") }

// check holds agent and kernel against the row, with the kernel's log and
// without.
func (w row) check(t *testing.T, r *rig) {
	t.Run(w.name, func(t *testing.T) {
		if w.errno != "" {
			t.Run("the kernel itself", func(t *testing.T) { w.checkKernel(t, r) })
		}
		t.Run("with its log", func(t *testing.T) { w.checkAgent(t, r, step.Root, w.reason) })
		reason := w.reason
		if w.blindReason != "" {
			reason = w.blindReason
		}
		t.Run("without its log", func(t *testing.T) { w.checkAgent(t, r, step.Module, reason) })
	})
}

func (w row) checkKernel(t *testing.T, r *rig) {
	defer r.remove(t, "pf_ring")
	got := r.Do(t, step.Request{Op: step.Insmod, Path: "/modules/" + w.folder() + ".ko", Data: w.parameters()}).Data
	if got == "" {
		got = "0"
	}
	if got != w.errno {
		t.Errorf("init_module: %s, want %s", got, w.errno)
	}
}

func (w row) parameters() string {
	for _, f := range w.flags {
		if p, ok := strings.CutPrefix(f, "--parameters="); ok {
			return p
		}
	}
	return ""
}

func (w row) checkAgent(t *testing.T, r *rig, p step.Privilege, reason outcome.Reason) {
	defer r.remove(t, "pf_ring")
	request := r.load(w.folder(), w.flags...)
	request.Privilege = p
	result := r.Do(t, request)
	o := r.outcome(t, result)
	r.holds(t, result, o, reason, w.live)
	if w.says != "" && p == step.Root && !strings.Contains(o.Message, w.says) {
		t.Errorf("the message does not say %q: %s", w.says, o.Message)
	}
	if !strings.Contains(result.Stderr, w.logs) {
		t.Errorf("the log does not say %q:\n%s", w.logs, result.Stderr)
	}
}

// holds checks a fallback's exit code, reason (if not "") and backend, the state
// file, and that the kernel has the module or has it not.
func (r *rig) holds(t *testing.T, result step.Result, o outcome.Outcome, reason outcome.Reason, live bool) {
	t.Helper()
	if reason == "" {
		reason = o.Reason
	}
	backend := outcome.Libpcap
	if reason.Good() || reason == outcome.OtherVersionLoaded {
		backend = outcome.PFRing
	}
	if o.Reason != reason || o.Backend != backend || result.Code != 0 {
		t.Errorf("got %s %s, code %d; want %s %s, code 0\n%s\n%s", o.Backend, o.Reason, result.Code, backend, reason, o.Message, result.Stderr)
	}
	want := ""
	if live {
		want = "Live"
	}
	if got := r.loaded(t, "pf_ring"); got != want {
		t.Errorf("/proc/modules has pf_ring %q, want %q", got, want)
	}
	for _, path := range []string{stateFile, "/tmp/termination"} {
		var kept outcome.Outcome
		data := r.Do(t, step.Request{Op: step.Read, Path: path}).Data
		if err := json.Unmarshal([]byte(data), &kept); err != nil || kept.Reason != o.Reason || kept.BootID != o.BootID {
			t.Errorf("%s is not the outcome: %v\n%s", path, err, data)
		}
	}
	if o.Kernel != r.kernel.Release || o.Arch != r.kernel.Arch || o.BootID == "" || o.Message == "" || o.Node != "vm" {
		t.Errorf("the outcome lacks facts: %s", pretty(o))
	}
}
