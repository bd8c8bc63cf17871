package vm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// The paths inside the machine.
const (
	agent     = "/bin/pfring-agent"
	stateFile = "/run/kubeshark-pfring/state.json"
	watchFile = "/run/kubeshark-pfring/watch/state.json"
)

// rig is a machine with the agent and module repositories in folders.
type rig struct {
	*vm.Machine
	kernel vm.Kernel
	files  map[string][]byte
	// keys are the repositories' public keys by name.
	keys map[string]string
}

func newRig(t *testing.T, suite vm.Suite) *rig {
	t.Helper()
	vm.Need(t)
	r := &rig{kernel: vm.Get(t, suite), files: map[string][]byte{}, keys: map[string]string{}}
	r.files[agent] = vm.Program(t, "./cmd/pfring-agent")
	return r
}

// repository puts a signed repository with one module into the machine.
func (r *rig) repository(t *testing.T, name, version string, ko []byte, format string) *moduletest.Repository {
	t.Helper()
	repository := moduletest.NewRepository(t).AddFile(r.kernel.Release, "amd64", version, ko, format).Sign()
	r.keep(name, repository)
	return repository
}

func (r *rig) keep(name string, repository *moduletest.Repository) {
	for path, data := range repository.Files {
		r.files["/repositories/"+name+"/"+path] = data
	}
	r.keys[name] = repository.PublicKey
}

func (r *rig) boot(t *testing.T, commandLine string) {
	t.Helper()
	r.Machine = vm.Boot(t, vm.Options{Kernel: r.kernel, Append: commandLine, Files: r.files})
}

// load is the request to load from a repository.
func (r *rig) load(repository string, flags ...string) step.Request {
	return step.Request{Op: step.Exec, Args: append([]string{
		agent, "load", "--node=vm", "--source-url=file:///repositories/" + repository, "--source-public-keys=" + r.keys[repository],
		"--state-file=" + stateFile, "--termination-log=/tmp/termination", "--host-sys=/host/sys", "--linger=0",
	}, flags...)}
}

// outcome is what the agent printed; it has to be the only line of it.
func (r *rig) outcome(t *testing.T, result step.Result) outcome.Outcome {
	t.Helper()
	o, err := outcome.Parse([]byte(result.Stdout))
	if err != nil {
		t.Fatalf("the agent printed no outcome: %v\ncode %d\n%s%s", err, result.Code, result.Stdout, result.Stderr)
	}
	return o
}

// loaded is what the kernel says of the module: its state, such as Live, or "".
func (r *rig) loaded(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(r.Do(t, step.Request{Op: step.Read, Path: "/proc/modules"}).Data) {
		if f := strings.Fields(line); len(f) > 4 && f[0] == name {
			return f[4]
		}
	}
	return ""
}

// version is that of the loaded module.
func (r *rig) version(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(r.Try(t, step.Request{Op: step.Read, Path: "/sys/module/pf_ring/version"}).Data)
}

// remove takes the module out by the system call.
func (r *rig) remove(t *testing.T, name string) {
	t.Helper()
	if r.loaded(t, name) == "" {
		return
	}
	if errno := r.Do(t, step.Request{Op: step.Rmmod, Path: name}).Data; errno != "" {
		t.Fatalf("unloading %s: %s", name, errno)
	}
}

func pretty(o outcome.Outcome) string {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
