package vm_test

import (
	"slices"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// BenchmarkLoad compares the agent with kmod's insmod: whole processes, from start
// to end, in turns. The agent finds, verifies, unpacks, loads and writes its
// outcome; insmod loads the same module, not compressed. Each reports its median
// time and its peak memory, in which the init that starts it counts too: about
// 6 MiB are the least that shows.
//
// The processor has the instructions for hashes that real ones have, and the
// machine's clock goes by its instructions, so that the figures are the same
// however busy this machine is. TestLoadTakesLittleMoreThanInsmod prints them.
func BenchmarkLoad(b *testing.B) {
	figures := compareLoads(b, func() bool { return b.Loop() })
	for name, value := range figures {
		b.ReportMetric(value, name)
	}
}

// TestLoadTakesLittleMoreThanInsmod prints what a load costs beside insmod. Time
// is not held to anything; memory is, by what the container may have.
func TestLoadTakesLittleMoreThanInsmod(t *testing.T) {
	left := 7
	figures := compareLoads(t, func() bool {
		left--
		return left >= 0
	})
	t.Logf("agent load %.1f ms, insmod %.1f ms: %.1f times, %.1f ms more; agent %.1f MiB, insmod %.1f MiB",
		figures["agent-ms"], figures["insmod-ms"], figures["agent-ms"]/figures["insmod-ms"], figures["over-insmod-ms"], figures["agent-MiB"], figures["insmod-MiB"])
	if figures["agent-MiB"] > 12 {
		t.Errorf("agent load takes %.1f MiB, more than 12", figures["agent-MiB"])
	}
}

func compareLoads(t testing.TB, more func() bool) map[string]float64 {
	t.Helper()
	vm.Need(t)
	kernel := vm.Get(t, vm.Stable)
	ko := vm.Module(t, kernel, vm.Variant{Version: "8.9.0", Debug: true})
	plain, err := strip.Debug(ko)
	if err != nil {
		t.Fatal(err)
	}
	repository := moduletest.NewRepository(t).AddFile(kernel.Release, "amd64", "8.9.0", plain, "zst").Sign()
	files := map[string][]byte{agent: vm.Program(t, "./cmd/pfring-agent"), "/pf_ring.ko": plain}
	for path, data := range repository.Files {
		files["/repository/"+path] = data
	}
	addKmod(t, "insmod", files)
	machine := vm.Boot(t, vm.Options{Kernel: kernel, Files: files, CPU: "max,-cx16", CountInstructions: true})
	ours := []string{agent, "load", "--source-url=file:///repository", "--source-public-keys=" + repository.PublicKey, "--state-file=" + stateFile, "--cache-dir=/cache", "--termination-log=/tmp/t"}
	theirs := []string{"/sbin/insmod", "/pf_ring.ko"}
	var agentRuns, insmodRuns []step.Result
	for more() {
		agentRuns = append(agentRuns, once(t, machine, ours))
		insmodRuns = append(insmodRuns, once(t, machine, theirs))
	}
	figures := map[string]float64{"module-KiB": float64(len(plain)) / (1 << 10)}
	measure(figures, "agent", agentRuns)
	measure(figures, "insmod", insmodRuns)
	figures["over-insmod-ms"] = figures["agent-ms"] - figures["insmod-ms"]
	return figures
}

// once loads and unloads.
func once(b testing.TB, m *vm.Machine, args []string) step.Result {
	b.Helper()
	result := m.Do(b, step.Request{Op: step.Exec, Args: args})
	if errno := m.Do(b, step.Request{Op: step.Rmmod, Path: "pf_ring"}).Data; result.Code != 0 || errno != "" {
		b.Fatalf("%q: code %d, unloading: %s\n%s%s", args, result.Code, errno, result.Stdout, result.Stderr)
	}
	return result
}

// measure adds median time and peak memory.
func measure(figures map[string]float64, who string, runs []step.Result) {
	slices.SortFunc(runs, func(x, y step.Result) int { return int(x.Micros - y.Micros) })
	figures[who+"-ms"] = float64(runs[len(runs)/2].Micros) / 1000
	peak := slices.MaxFunc(runs, func(x, y step.Result) int { return int(x.MaxRSS - y.MaxRSS) })
	figures[who+"-MiB"] = float64(peak.MaxRSS) / 1024
}
