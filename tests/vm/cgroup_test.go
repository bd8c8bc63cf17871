package vm_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// TestFaultsThatFillMemoryKeepTheLimitOfVersion2 loads what would fill the memory in
// control groups of version 2 as the kubelet makes them: the limit is the pod's, and
// the container's own group says "max".
func TestFaultsThatFillMemoryKeepTheLimitOfVersion2(t *testing.T) {
	const limit = 64 << 20
	const pod = "/sys/fs/cgroup/kubepods/pod1"
	const container = pod + "/c1"
	r := newRig(t, vm.Stable)
	good := vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"})
	fake := moduletest.KO{Kernel: r.kernel.Release}.Bytes()
	r.repository(t, "good", "8.9.0", good, "zst")
	// The node's memory holds it, the container's does not.
	r.repository(t, "large", "8.9.0", append(fake, make([]byte, 50<<20)...), "gz")
	for _, format := range []string{"gz", "xz", "zst"} {
		r.repository(t, "bomb-"+format, "8.9.0", make([]byte, 70<<20), format)
	}
	many := moduletest.NewRepository(t).AddFile(r.kernel.Release, "amd64", "8.9.0", good, "zst")
	entry := many.Index.Modules[0]
	for i := range 20_000 {
		entry.KernelRelease = fmt.Sprintf("6.1.0-%d-cloud-amd64", 1000+i)
		many.Index.Modules = append(many.Index.Modules, entry)
	}
	r.keep("many", many.Sign())
	endless := moduletest.NewRepository(t).AddFile(r.kernel.Release, "amd64", "8.9.0", good, "zst").Sign()
	endless.Files[module.IndexName] = append([]byte(`{"schemaVersion":1,"module":"pf_ring","serial":1,"more":"`), strings.Repeat("x", 40<<20)...)
	r.keep("endless", endless.SignFiles())
	r.boot(t, "")

	write := func(path, text string) {
		t.Helper()
		r.Do(t, step.Request{Op: step.Write, Path: path, Data: text})
	}
	read := func(path string) string {
		t.Helper()
		return strings.TrimSpace(r.Do(t, step.Request{Op: step.Read, Path: path}).Data)
	}
	write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
	write("/sys/fs/cgroup/kubepods/cgroup.subtree_control", "+memory")
	write(pod+"/memory.max", strconv.Itoa(limit))
	write(pod+"/cgroup.subtree_control", "+memory")
	write(container+"/memory.max", "max")

	for _, c := range []struct {
		name   string
		reason outcome.Reason
		says   string
	}{
		{"good", outcome.Loaded, "8.9.0"},
		{"many", outcome.Loaded, "8.9.0"},
		{"large", outcome.TooLarge, "limits.memory"},
		{"bomb-gz", outcome.TooLarge, ""},
		{"bomb-xz", outcome.TooLarge, ""},
		{"bomb-zst", outcome.TooLarge, ""},
		{"endless", outcome.SourceInvalid, ""},
	} {
		request := r.load(c.name)
		request.Group = container
		result := r.Do(t, request)
		if o := r.outcome(t, result); o.Reason != c.reason || !strings.Contains(o.Message, c.says) {
			t.Errorf("%s: %s", c.name, pretty(o))
		}
		r.remove(t, "pf_ring")
	}
	if o := r.outcome(t, r.Do(t, r.load("large"))); o.Reason == outcome.TooLarge {
		t.Errorf("without a limit: %s", pretty(o))
	}
	if events := read(pod + "/memory.events"); !strings.Contains(events, "oom_kill 0") {
		t.Errorf("something was killed: %s", events)
	}
	peak, err := strconv.Atoi(read(pod + "/memory.peak"))
	if err != nil || peak == 0 || peak > limit {
		t.Errorf("it held %d bytes at most: %v", peak, err)
	}
	t.Logf("at most %d MiB were held", peak>>20)
}
