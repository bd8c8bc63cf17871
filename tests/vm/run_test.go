package vm_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

const address = "127.0.0.1:9102"

// watch starts the agent's run, as it is after a load.
func (r *rig) watch(t *testing.T, p step.Privilege, flags ...string) {
	t.Helper()
	r.Do(t, step.Request{Op: step.Start, Name: "run", Until: "watching", Privilege: p, Args: append([]string{
		agent, "run", "--node=vm", "--state-file=" + stateFile, "--watch-file=" + watchFile, "--termination-log=/tmp/termination", "--metrics-address=" + address, "--poll-interval=100ms",
	}, flags...)})
}

func (r *rig) get(t *testing.T, path, until string) string {
	t.Helper()
	return r.Do(t, step.Request{Op: step.Get, Path: "http://" + address + path, Until: until}).Data
}

// state is what the file of the agent that watches says.
func (r *rig) state(t *testing.T) (o outcome.Outcome) {
	t.Helper()
	data := r.Do(t, step.Request{Op: step.Read, Path: watchFile}).Data
	if err := json.Unmarshal([]byte(data), &o); err != nil {
		t.Fatalf("the state file: %v\n%s", err, data)
	}
	return o
}

// stateUntil waits until the state file has a reason: it is written right after
// the answers to probes have changed.
func (r *rig) stateUntil(t *testing.T, reason outcome.Reason) outcome.Outcome {
	t.Helper()
	for range 5000 {
		if o := r.state(t); o.Reason == reason {
			return o
		}
	}
	t.Fatalf("the state file never said %s: %s", reason, pretty(r.state(t)))
	return outcome.Outcome{}
}

func (r *rig) unload(t *testing.T, flags ...string) step.Result {
	t.Helper()
	return r.Do(t, step.Request{Op: step.Exec, Args: append([]string{agent, "unload"}, flags...)})
}

func unloadInUse(t *testing.T, r *rig) {
	if result := r.unload(t); result.Code != 0 {
		t.Errorf("nothing is loaded: code %d, %s", result.Code, result.Stderr)
	}
	r.loads(t, outcome.Loaded, true)
	r.hold(t, "ring", false)
	if errno := r.Do(t, step.Request{Op: step.Rmmod, Path: "pf_ring"}).Data; errno != "EAGAIN" {
		t.Errorf("delete_module of a module in use: %q, want EAGAIN", errno)
	}
	if result := r.unload(t, "--unload-timeout=300ms"); result.Code != outcome.ExitNo || !strings.Contains(result.Stderr, "in use") {
		t.Errorf("in use: code %d, %s", result.Code, result.Stderr)
	}
	if r.loaded(t, "pf_ring") != "Live" {
		t.Error("a module in use has vanished")
	}
	r.Do(t, step.Request{Op: step.Start, Name: "unload", Args: []string{agent, "unload", "--unload-timeout=60s"}})
	r.end(t, "ring", syscall.SIGKILL)
	if result := r.Do(t, step.Request{Op: step.Wait, Name: "unload"}); result.Code != 0 || r.loaded(t, "pf_ring") != "" {
		t.Errorf("freed: code %d, module %q, %s", result.Code, r.loaded(t, "pf_ring"), result.Stderr)
	}
}

func vanishes(t *testing.T, r *rig) {
	r.loads(t, outcome.Loaded, true)
	// As the chart runs it: without any capability.
	r.watch(t, step.NoCapability)
	defer r.end(t, "run", syscall.SIGTERM)
	r.get(t, "/readyz", "200")
	if got := r.get(t, "/metrics", "200"); !strings.Contains(got, `pfring_backend{backend="pf_ring",reason="loaded"} 1`) {
		t.Errorf("metrics:\n%s", got)
	}
	r.remove(t, "pf_ring")
	r.get(t, "/readyz", "503")
	if got := r.get(t, "/metrics", "200"); !strings.Contains(got, `pfring_backend{backend="libpcap",reason="module-gone"} 1`) {
		t.Errorf("metrics:\n%s", got)
	}
	if o := r.stateUntil(t, outcome.ModuleGone); o.Backend != outcome.Libpcap {
		t.Errorf("state file: %s", pretty(o))
	}
	r.get(t, "/healthz", "200")
	r.insertOlder(t)
	r.get(t, "/readyz", "200")
	if o := r.stateUntil(t, outcome.AlreadyLoaded); o.Backend != outcome.PFRing || o.Module.Version != "8.8.0" || o.Module.Verified != outcome.VerifiedNone {
		t.Errorf("another version has come, state file: %s", pretty(o))
	}
}

func unloadsAtEnd(t *testing.T, r *rig) {
	r.loads(t, outcome.Loaded, true)
	r.watch(t, step.Module, "--unload-on-destroy", "--unload-timeout=300ms")
	r.hold(t, "ring", false)
	if result := r.end(t, "run", syscall.SIGTERM); result.Code != 0 || r.state(t).Reason != outcome.UnloadBusy || r.loaded(t, "pf_ring") != "Live" {
		t.Errorf("in use: code %d, %s", result.Code, pretty(r.state(t)))
	}
	r.end(t, "ring", syscall.SIGKILL)
	r.watch(t, step.Module, "--unload-on-destroy", "--unload-timeout=60s")
	if result := r.end(t, "run", syscall.SIGTERM); result.Code != 0 || r.state(t).Reason != outcome.ModuleGone || r.loaded(t, "pf_ring") != "" {
		t.Errorf("free: code %d, module %q, %s", result.Code, r.loaded(t, "pf_ring"), pretty(r.state(t)))
	}
}

// rings: each shows itself in its own network namespace only, and is counted
// once however many processes are in that.
func rings(t *testing.T, r *rig) {
	r.loads(t, outcome.Loaded, true)
	for name, netns := range map[string]bool{"here": false, "there": true, "elsewhere": true} {
		r.hold(t, name, netns)
		defer r.end(t, name, syscall.SIGKILL)
	}
	if visible := r.Do(t, step.Request{Op: step.List, Path: "/proc/net/pf_ring/*-lo.*"}).Data; strings.Count(visible, "-lo.") != 1 {
		t.Errorf("the stand-in shows rings of other namespaces: %s", visible)
	}
	r.watch(t, step.NoCapability, "--rings", "--host-proc=/proc")
	defer r.end(t, "run", syscall.SIGTERM)
	got := r.get(t, "/metrics", "200")
	for text, count := range map[string]int{
		"\npfring_rings 3\n": 1, "\npfring_ring_packets_total{": 3, "\npfring_ring_lost_packets_total{": 3,
		`device="lo",application="test"} 1234`: 3, `device="lo",application="test"} 5`: 3,
	} {
		if strings.Count(got, text) != count {
			t.Errorf("the metrics have %q %d times, want %d:\n%s", text, strings.Count(got, text), count, got)
		}
	}
}

func waits(t *testing.T, r *rig) {
	wait := func(flags ...string) step.Request {
		return step.Request{Op: step.Exec, Name: "wait", Args: append([]string{
			agent, "wait", "--node=vm", "--termination-log=/tmp/termination",
		}, flags...)}
	}
	result := r.Do(t, wait("--wait-timeout=300ms"))
	if o := r.outcome(t, result); result.Code != 0 || o.Reason != outcome.WaitTimeout || o.Backend != outcome.Libpcap {
		t.Errorf("nobody loads: code %d, %s", result.Code, pretty(o))
	}
	patient := wait("--wait-timeout=80s")
	patient.Op = step.Start
	r.Do(t, patient)
	r.insertOlder(t)
	result = r.Do(t, step.Request{Op: step.Wait, Name: "wait"})
	if o := r.outcome(t, result); !o.Reason.Good() || o.Module.Version != "8.8.0" || o.Module.Verified != outcome.VerifiedKMM {
		t.Errorf("somebody loads: %s", pretty(o))
	}
}

// modulesDisabled is last: the switch cannot be turned back.
func modulesDisabled(t *testing.T, r *rig) {
	r.insmod(t, debians, "")
	r.Do(t, step.Request{Op: step.Write, Path: "/proc/sys/kernel/modules_disabled", Data: "1"})
	result := r.unload(t, "--module-name=dummy")
	if result.Code != outcome.ExitNo || !strings.Contains(result.Stderr, "modules_disabled") || r.loaded(t, "dummy") != "Live" {
		t.Errorf("unload: code %d, module %q, %s", result.Code, r.loaded(t, "dummy"), result.Stderr)
	}
	if errno := r.Do(t, step.Request{Op: step.Insmod, Path: older}).Data; errno != "EPERM" {
		t.Errorf("init_module: %q, want EPERM", errno)
	}
	for _, p := range []step.Privilege{step.Root, step.Module} {
		request := r.load(repository)
		request.Privilege = p
		result := r.Do(t, request)
		r.holds(t, result, r.outcome(t, result), outcome.ModulesDisabled, false)
	}
}
