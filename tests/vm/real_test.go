package vm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// sourceEnv names the folder kernel of a checkout of ntop/PF_RING.
const sourceEnv = "PFRING_TEST_SOURCE"

// TestPFRingItself builds PF_RING from its own source for the machine's kernel,
// loads it by the agent, and compares what the agent says of an open ring with
// what the ring's own memory, which PF_RING's library reads, counts.
func TestPFRingItself(t *testing.T) {
	vm.Need(t)
	source := os.Getenv(sourceEnv)
	if source == "" {
		t.Skip("needs PF_RING's source: set " + sourceEnv + " to the folder kernel of a checkout of ntop/PF_RING")
	}
	for _, suite := range []vm.Suite{vm.Stable, vm.Backports} {
		t.Run(string(suite), func(t *testing.T) {
			r := newRig(t, suite)
			ko := buildPFRing(t, source, r.kernel)
			info, err := module.Inspect(ko)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := strip.Debug(ko)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("PF_RING %s for %s: %d bytes, %d stripped", info.Version, r.kernel.Release, len(ko), len(plain))
			r.repository(t, repository, info.Version, plain, "zst")
			r.boot(t, "")
			o := r.loads(t, outcome.Loaded, true, "--source-version="+info.Version, "--parameters=min_num_slots=512")
			if o.Module.Version != info.Version || o.Module.Verified != outcome.VerifiedSignature || o.Module.SrcVersion != info.SrcVersion {
				t.Errorf("%s", pretty(o))
			}
			r.wantVersion(t, info.Version)
			countsARing(t, r)
			r.remove(t, "pf_ring")
		})
	}
}

// countsARing: the ring is in a network namespace of its own, where nothing but
// its program sends anything, so that it counts no more by the time it is asked.
func countsARing(t *testing.T, r *rig) {
	t.Helper()
	const sent = 3000
	r.Do(t, step.Request{Op: step.Start, Name: "ring", Args: []string{"/init", "capture", strconv.Itoa(sent)}, NetNS: true, Until: "counted "})
	r.watch(t, step.NoCapability, "--rings", "--host-proc=/proc")
	metrics := r.get(t, "/metrics", "200")
	r.end(t, "run", syscall.SIGTERM)
	said := r.end(t, "ring", syscall.SIGKILL).Stdout
	said = strings.TrimSpace(said)
	var packets, lost int64
	if _, err := fmt.Sscanf(said, "counted %d %d", &packets, &lost); err != nil {
		t.Fatalf("the ring says %q: %v", said, err)
	}
	t.Logf("%d packets sent; the ring counts %d, %d of them lost", sent, packets, lost)
	if packets < sent || lost == 0 || lost >= packets {
		t.Errorf("the ring counts %d packets, %d of them lost", packets, lost)
	}
	for metric, want := range map[string]int64{"pfring_ring_packets_total": packets, "pfring_ring_lost_packets_total": lost} {
		var got []string
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, metric+"{") && strings.Contains(line, `device="lo"`) {
				got = append(got, strings.TrimSpace(line[strings.LastIndex(line, " "):]))
			}
		}
		if len(got) != 1 || got[0] != strconv.FormatInt(want, 10) {
			t.Errorf("%s is %q, the ring counts %d\n%s", metric, got, want, metrics)
		}
	}
}

// buildPFRing compiles a copy of the source, as PF_RING's Makefile does it.
func buildPFRing(t *testing.T, source string, k vm.Kernel) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kernel")
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatalf("%s: %v", sourceEnv, err)
	}
	cmd := exec.Command("make", "-C", dir, "KERNEL_SRC="+k.Headers, "BUILD_KERNEL="+k.Release, "CONFIG_DEBUG_INFO_BTF_MODULES=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building PF_RING for %s: %v\n%s", k.Release, err, out[max(0, len(out)-4000):])
	}
	ko, err := os.ReadFile(filepath.Join(dir, "pf_ring.ko"))
	if err != nil {
		t.Fatal(err)
	}
	return ko
}
