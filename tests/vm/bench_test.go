package vm_test

import (
	"slices"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// BenchmarkLoad compares the agent with kmod's insmod on the same file, in the
// same emulated machine: whole processes, from start to end, in turns. The agent
// finds, verifies, loads and writes its outcome; insmod loads. Each reports its
// median time and its peak memory, in which the init that starts it counts too:
// about 6 MiB are the least that shows.
func BenchmarkLoad(b *testing.B) {
	vm.Need(b)
	kernel := vm.Get(b, vm.Stable)
	ko := vm.Module(b, kernel, vm.Variant{Version: "8.9.0", Debug: true})
	repository := moduletest.NewRepository(b).AddFile(kernel.Release, "amd64", "8.9.0", ko, "raw").Sign()
	files := map[string][]byte{agent: vm.Program(b, "./cmd/pfring-agent"), "/pf_ring.ko": ko}
	for path, data := range repository.Files {
		files["/repository/"+path] = data
	}
	addKmod(b, "insmod", files)
	machine := vm.Boot(b, vm.Options{Kernel: kernel, Files: files})
	ours := []string{agent, "load", "--source-url=file:///repository", "--source-public-keys=" + repository.PublicKey, "--state-file=" + stateFile, "--termination-log=/tmp/t"}
	theirs := []string{"/sbin/insmod", "/pf_ring.ko"}
	var agentRuns, insmodRuns []step.Result
	for b.Loop() {
		agentRuns = append(agentRuns, once(b, machine, ours))
		insmodRuns = append(insmodRuns, once(b, machine, theirs))
	}
	report(b, "agent", agentRuns)
	report(b, "insmod", insmodRuns)
	b.ReportMetric(float64(agentRuns[len(agentRuns)/2].Micros-insmodRuns[len(insmodRuns)/2].Micros)/1000, "over-insmod-ms")
	b.ReportMetric(float64(len(ko))/(1<<10), "module-KiB")
}

// once loads and unloads.
func once(b *testing.B, m *vm.Machine, args []string) step.Result {
	b.Helper()
	result := m.Do(b, step.Request{Op: step.Exec, Args: args})
	if errno := m.Do(b, step.Request{Op: step.Rmmod, Path: "pf_ring"}).Data; result.Code != 0 || errno != "" {
		b.Fatalf("%q: code %d, unloading: %s\n%s%s", args, result.Code, errno, result.Stdout, result.Stderr)
	}
	return result
}

func report(b *testing.B, who string, runs []step.Result) {
	b.Helper()
	slices.SortFunc(runs, func(x, y step.Result) int { return int(x.Micros - y.Micros) })
	b.ReportMetric(float64(runs[len(runs)/2].Micros)/1000, who+"-ms")
	peak := slices.MaxFunc(runs, func(x, y step.Result) int { return int(x.MaxRSS - y.MaxRSS) })
	b.ReportMetric(float64(peak.MaxRSS)/1024, who+"-MiB")
}
