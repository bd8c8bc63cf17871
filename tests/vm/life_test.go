package vm_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// repository is the one with version 8.9.0; older is a module of version 8.8.0
// outside of it; debians is a module of the kernel's own.
const (
	repository = "newest"
	older      = "/modules/8.8.0.ko"
	debians    = "/modules/dummy.ko"
)

// TestLife is about what is there before a load, beside it and after it. Its
// parts leave the module unloaded; the last ends the machine's use for modules.
func TestLife(t *testing.T) {
	r := newRig(t, vm.Stable)
	r.repository(t, repository, "8.9.0", vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"}), "zst")
	r.files[older] = vm.Module(t, r.kernel, vm.Variant{Version: "8.8.0"})
	r.files[debians] = vm.Dummy(t, r.kernel)
	r.boot(t, "")
	for _, part := range []struct {
		name string
		test func(*testing.T, *rig)
	}{
		{"already loaded", alreadyLoaded},
		{"loaded in an earlier boot", earlierBoot},
		{"another version is loaded", otherVersion},
		{"another version gives way", replaced},
		{"another version is in use", replaceBusy},
		{"another unloads it just now", unloadingNow},
		{"another unloads it later", unloadingLater},
		{"parameters arrive", parametersArrive},
		{"four agents at once", fourAtOnce},
		{"killed in the middle, and again", killed},
		{"unavailable may fail", mayFail},
		{"privileges", privileges},
		{"unload in use, then freed", unloadInUse},
		{"run sees the module vanish and come back", vanishes},
		{"run unloads at its end", unloadsAtEnd},
		{"rings in other network namespaces", rings},
		{"wait for another to load", waits},
		{"modules disabled", modulesDisabled},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Cleanup(func() { r.remove(t, "pf_ring") })
			part.test(t, r)
		})
	}
}

// loads runs load and checks outcome and kernel.
func (r *rig) loads(t *testing.T, reason outcome.Reason, live bool, flags ...string) outcome.Outcome {
	t.Helper()
	result := r.Do(t, r.load(repository, flags...))
	o := r.outcome(t, result)
	r.holds(t, result, o, reason, live)
	return o
}

// insertOlder puts version 8.8.0 into the kernel, as another would.
func (r *rig) insertOlder(t *testing.T) {
	t.Helper()
	r.insmod(t, older, "")
}

func (r *rig) insmod(t *testing.T, path, parameters string) {
	t.Helper()
	if errno := r.Do(t, step.Request{Op: step.Insmod, Path: path, Data: parameters}).Data; errno != "" {
		t.Fatalf("loading %s: %s", path, errno)
	}
}

// hold opens a ring in a process called name.
func (r *rig) hold(t *testing.T, name string, netns bool) {
	t.Helper()
	r.Do(t, step.Request{Op: step.Start, Name: name, Args: []string{"/init", "hold"}, NetNS: netns, Until: "held"})
}

// end kills a started program and returns what it was.
func (r *rig) end(t *testing.T, name string, signal syscall.Signal) step.Result {
	t.Helper()
	r.Do(t, step.Request{Op: step.Signal, Name: name, Number: int(signal)})
	return r.Do(t, step.Request{Op: step.Wait, Name: name})
}

func (r *rig) wantVersion(t *testing.T, want string) {
	t.Helper()
	if got := r.version(t); got != want {
		t.Errorf("the kernel has version %q, want %q", got, want)
	}
}

func alreadyLoaded(t *testing.T, r *rig) {
	first := r.loads(t, outcome.Loaded, true)
	second := r.loads(t, outcome.AlreadyLoaded, true)
	if second.Module != first.Module || first.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("where the module came from is lost: %+v, then %+v", first.Module, second.Module)
	}
	r.wantVersion(t, "8.9.0")
}

// earlierBoot: what another boot's state file says of a module is not a word about
// this one's.
func earlierBoot(t *testing.T, r *rig) {
	o := r.loads(t, outcome.Loaded, true)
	o.BootID = "00000000-0000-0000-0000-000000000000"
	line, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Do(t, step.Request{Op: step.Write, Path: stateFile, Data: string(line)})
	again := r.loads(t, outcome.AlreadyLoaded, true)
	if again.Module.Verified != outcome.VerifiedNone || again.Module.SHA256 != "" || again.BootID == o.BootID {
		t.Errorf("taken over from another boot: %s", pretty(again))
	}
}

func otherVersion(t *testing.T, r *rig) {
	r.insertOlder(t)
	o := r.loads(t, outcome.OtherVersionLoaded, true)
	if o.Module.Version != "8.8.0" || !strings.Contains(o.Message, "8.9.0") {
		t.Errorf("the outcome does not name both versions: %s", pretty(o))
	}
	r.wantVersion(t, "8.8.0")
	r.loads(t, outcome.AlreadyLoaded, true, "--source-version=8.8.0", "--replace-loaded")
	r.wantVersion(t, "8.8.0")
}

func replaced(t *testing.T, r *rig) {
	r.insertOlder(t)
	o := r.loads(t, outcome.Replaced, true, "--replace-loaded")
	if o.Module.Version != "8.9.0" || o.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("%s", pretty(o))
	}
	r.wantVersion(t, "8.9.0")
}

func replaceBusy(t *testing.T, r *rig) {
	r.insertOlder(t)
	r.hold(t, "ring", false)
	o := r.loads(t, outcome.OtherVersionLoaded, true, "--replace-loaded")
	if !strings.Contains(o.Message, "in use") {
		t.Errorf("the message does not say that it is in use: %s", o.Message)
	}
	r.wantVersion(t, "8.8.0")
	r.end(t, "ring", syscall.SIGKILL)
	r.loads(t, outcome.Replaced, true, "--replace-loaded")
	r.wantVersion(t, "8.9.0")
}

// unloadingNow: KMM, say, is taking the module out while the agent comes.
func unloadingNow(t *testing.T, r *rig) {
	r.insmod(t, older, "test_exit_delay_ms=1000")
	r.Do(t, step.Request{Op: step.Start, Name: "unload", Args: []string{agent, "unload"}})
	r.until(t, "pf_ring", "Unloading")
	r.loads(t, outcome.Loaded, true)
	r.wantVersion(t, "8.9.0")
	if result := r.Do(t, step.Request{Op: step.Wait, Name: "unload"}); result.Code != 0 {
		t.Errorf("code %d: %s", result.Code, result.Stderr)
	}
}

// unloadingLater: KMM's module is there, in use by nothing, and KMM comes to
// unload it only after the agent has started. The agent ends with its own.
func unloadingLater(t *testing.T, r *rig) {
	r.insmod(t, older, "")
	request := r.load(repository, "--linger=60s")
	request.Op, request.Name, request.Until = step.Start, "load", "checking whether it stays loaded"
	r.Do(t, request)
	r.remove(t, "pf_ring")
	result := r.Do(t, step.Request{Op: step.Wait, Name: "load"})
	r.holds(t, result, r.outcome(t, result), outcome.Loaded, true)
	r.wantVersion(t, "8.9.0")
	// What an agent has loaded and watched until now does not make the next linger.
	next := r.loads(t, outcome.AlreadyLoaded, true, "--linger=1h")
	if next.Module.Verified != outcome.VerifiedSignature {
		t.Errorf("%+v", next.Module)
	}
}

func parametersArrive(t *testing.T, r *rig) {
	r.loads(t, outcome.Loaded, true, "--parameters=min_num_slots=8192 enable_tx_capture=0")
	for name, want := range map[string]string{"min_num_slots": "8192", "enable_tx_capture": "0", "quick_mode": "0"} {
		got := r.Do(t, step.Request{Op: step.Read, Path: "/sys/module/pf_ring/parameters/" + name}).Data
		if strings.TrimSpace(got) != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
}

func fourAtOnce(t *testing.T, r *rig) {
	names := []string{"1", "2", "3", "4"}
	for _, name := range names {
		request := r.load(repository, "--parameters=test_delay_ms=700", "--termination-log=/tmp/termination-"+name)
		request.Op, request.Name = step.Start, name
		r.Do(t, request)
	}
	count := map[outcome.Reason]int{}
	for _, name := range names {
		result := r.Do(t, step.Request{Op: step.Wait, Name: name})
		count[r.outcome(t, result).Reason]++
		if result.Code != 0 {
			t.Errorf("code %d: %s", result.Code, result.Stderr)
		}
	}
	if count[outcome.Loaded] != 1 || count[outcome.AlreadyLoaded] != 3 {
		t.Errorf("of four agents: %v, want one loaded and three already-loaded", count)
	}
	if r.loaded(t, "pf_ring") != "Live" {
		t.Error("the module is not there")
	}
}

// killed: whenever an agent dies, the next one ends with a module that answers
// and leaves nothing half written.
func killed(t *testing.T, r *rig) {
	loading := r.load(repository, "--parameters=test_delay_ms=1500", "--log-level=debug")
	loading.Op, loading.Name, loading.Until = step.Start, "victim", `"the node"`
	r.Do(t, step.Request{Op: step.Remove, Path: stateFile})
	r.Do(t, loading)
	// It is somewhere between finding out about the node and the module's start.
	r.Do(t, step.Request{Op: step.Signal, Name: "victim", Number: int(syscall.SIGKILL)})
	first := r.loads(t, "", true)
	if first.Reason != outcome.Loaded && first.Reason != outcome.AlreadyLoaded {
		t.Errorf("after a kill: %s", pretty(first))
	}
	r.Do(t, step.Request{Op: step.Wait, Name: "victim"})
	r.remove(t, "pf_ring")

	r.Do(t, step.Request{Op: step.Remove, Path: stateFile})
	r.Do(t, loading)
	r.until(t, "pf_ring", "Loading")
	r.Do(t, step.Request{Op: step.Signal, Name: "victim", Number: int(syscall.SIGKILL)})
	// init_module cannot be interrupted: the module arrives without its agent.
	second := r.loads(t, outcome.AlreadyLoaded, true)
	if code := r.Do(t, step.Request{Op: step.Wait, Name: "victim"}).Code; code != -1 {
		t.Errorf("the agent has ended by itself, code %d", code)
	}
	if second.Module.Version != "8.9.0" {
		t.Errorf("%s", pretty(second))
	}
	if left := r.Do(t, step.Request{Op: step.List, Path: "/run/kubeshark-pfring/.*"}).Data; left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// until waits for a state in /proc/modules. Each look takes the machine a while.
func (r *rig) until(t *testing.T, module, state string) {
	t.Helper()
	for range 5000 {
		if r.loaded(t, module) == state {
			return
		}
	}
	t.Fatalf("%s was never seen %s", module, state)
}

func mayFail(t *testing.T, r *rig) {
	result := r.Do(t, r.load(repository, "--on-unavailable=fail", "--source-version=9.9.9"))
	if o := r.outcome(t, result); result.Code != outcome.ExitNo || o.Reason != outcome.NoModuleForKernel {
		t.Errorf("code %d: %s", result.Code, pretty(o))
	}
	result = r.Do(t, r.load(repository, "--on-unavailable=fail"))
	if o := r.outcome(t, result); result.Code != outcome.ExitOK || o.Reason != outcome.Loaded {
		t.Errorf("code %d: %s", result.Code, pretty(o))
	}
}

// privileges: EPERM has many causes, and the agent tells them apart. None of it
// keeps an agent from seeing that the module already exists.
func privileges(t *testing.T, r *rig) {
	for _, c := range []struct {
		privilege step.Privilege
		want      outcome.Reason
		live      bool
	}{
		{step.NoCapability, outcome.CapabilityMissing, false},
		{step.Seccomp, outcome.SeccompDenied, false},
		{step.UserNamespace, outcome.CapabilityMissing, false},
		{step.Module, outcome.Loaded, true},
		{step.NoCapability, outcome.AlreadyLoaded, true},
		{step.Seccomp, outcome.AlreadyLoaded, true},
	} {
		request := r.load(repository)
		request.Privilege = c.privilege
		result := r.Do(t, request)
		r.holds(t, result, r.outcome(t, result), c.want, c.live)
	}
}
