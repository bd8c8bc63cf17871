package node_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// slowly keeps the stand-in module loading long enough to look at who loads it.
const slowly = "parameters.test_delay_ms=5000"

func installs(t *testing.T, b *bed, n *node.Node) {
	done := background(func() error { return b.install(t.Context(), "install", slowly) })
	load := catch(t, n, "load", done)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// CapBnd is what it could ever get.
	load.has(t, map[string]string{
		"CapEff": sysModule, "CapPrm": sysModule, "CapBnd": sysModule, "CapInh": none, "CapAmb": none,
		"Seccomp": "2", "NoNewPrivs": "1", "Uid": "0 0 0 0",
	})
	processOf(t, n, "run").has(t, map[string]string{
		"CapEff": none, "CapPrm": none, "CapBnd": none, "CapInh": none, "CapAmb": none, "Seccomp": "2", "NoNewPrivs": "1",
	})
	got := b.says(t, n, outcome.Loaded)
	if got.Version != version || got.Verified != outcome.VerifiedSignature || got.Source != "s3://modules/pf-ring" {
		t.Errorf("%+v", got)
	}
	if info := n.Read(t, "/proc/net/pf_ring/info"); !strings.Contains(info, version) {
		t.Errorf("/proc/net/pf_ring/info says:\n%s", info)
	}
	o := said(t, b.pod(t))
	t.Logf("loaded %.1f s after the pod was made: %+v", o.Time.Sub(b.pod(t).CreationTimestamp.Time).Seconds(), o)
	state := readState(t, n, stateFile)
	if state.Reason != outcome.Loaded || state.BootID != n.BootID || o.BootID != n.BootID || o.Kernel != n.Kernel.Release {
		t.Errorf("boot %s; the pod says %+v, the state file %+v", n.BootID, o, state)
	}
	t.Logf("pfring status:\n%s", b.onCluster(t, "status").out)
}

func readState(t *testing.T, n *node.Node, path string) (o outcome.Outcome) {
	t.Helper()
	if err := json.Unmarshal([]byte(n.Read(t, path)), &o); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return o
}

func scrapes(t *testing.T, b *bed, n *node.Node) {
	pod := b.pod(t)
	metrics := n.Do(t, step.Request{Op: step.Get, Path: "http://" + pod.Status.PodIP + ":9102/metrics", Until: "200"}).Data
	for _, line := range []string{
		`pfring_backend{backend="pf_ring",reason="loaded"} 1`,
		`pfring_module_info{version="8.9.0",kernel="` + n.Kernel.Release + `",source="s3://modules/pf-ring",verified="signature"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s:\n%s", line, metrics)
		}
	}
}

func isCompatible(t *testing.T, b *bed, n *node.Node) {
	r := b.withRepository(t, "compatibility")
	if r.code != 0 || !strings.Contains(r.out, n.Kernel.Release) || !strings.Contains(r.out, version) {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	t.Logf("pfring compatibility:\n%s", r.out)
}

func reboots(t *testing.T, b *bed, n *node.Node) {
	before := b.pod(t)
	boot := n.BootID
	n.Reboot(t)
	// What the pod said before stays until its containers run again.
	poll(t, "the outcome of the new boot", func() bool { return said(t, b.pod(t)).BootID == n.BootID })
	got := b.says(t, n, outcome.Loaded)
	after := b.pod(t)
	if boot == n.BootID || after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount == 0 {
		t.Errorf("boot %s after %s; pod %s after %s, restarted %d times", n.BootID, boot, after.Name, before.Name, after.Status.ContainerStatuses[0].RestartCount)
	}
	if state := readState(t, n, stateFile); state.BootID != n.BootID || state.Reason != outcome.Loaded {
		t.Errorf("%+v", state)
	}
	t.Logf("%+v", got)
}

// fallsBack upgrades to another repository with nothing loaded.
func fallsBack(t *testing.T, b *bed, n *node.Node, prefix string, reason outcome.Reason) {
	remove(t, n)
	b.upgrade(t, "source.url=s3://modules/"+prefix)
	got := b.says(t, n, reason)
	if pod := b.pod(t); !isReady(pod) {
		t.Errorf("helm --wait has returned, and pod %s is not ready", pod.Name)
	}
	if got.Remedy == "" {
		t.Errorf("no remedy in %+v", got)
	}
}

// remove takes the module out by hand, if it is there.
func remove(t *testing.T, n *node.Node) {
	t.Helper()
	if n.Loaded(t, "pf_ring") {
		if errno := n.Do(t, step.Request{Op: step.Rmmod, Path: "pf_ring"}).Data; errno != "" {
			t.Fatalf("unloading by hand: %s", errno)
		}
	}
}

func retries(t *testing.T, b *bed, n *node.Node, good *moduletest.Repository) {
	before := b.pod(t)
	if r := b.onCluster(t, "retry"); r.code != outcome.ExitNo || !strings.Contains(r.out, string(outcome.SignatureInvalid)) {
		t.Errorf("nothing is fixed: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	b.serve(t, "forged", good)
	r := b.onCluster(t, "retry", "--reason", string(outcome.SignatureInvalid))
	if r.code != 0 || !strings.Contains(r.out, "1 of 1 retried nodes have PF_RING now") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	b.says(t, n, outcome.Loaded)
	if after := b.pod(t); after.UID == before.UID {
		t.Error("the pod is the same")
	}
	if r := b.onCluster(t, "retry"); r.code != 0 || !strings.Contains(r.out, "No node to retry") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

func uninstalls(t *testing.T, b *bed, n *node.Node) {
	b.upgrade(t, "unloadOnDestroy=true")
	b.says(t, n, outcome.AlreadyLoaded)
	processOf(t, n, "run").has(t, map[string]string{"CapEff": sysModule, "CapBnd": sysModule, "Seccomp": "2", "NoNewPrivs": "1"})
	if err := b.runHelm(t.Context(), "uninstall", release, "--wait", "--timeout", patience.String()); err != nil {
		t.Fatal(err)
	}
	poll(t, "the module to be gone", func() bool { return !n.Loaded(t, "pf_ring") })
	poll(t, "the node to have no container", func() bool {
		return containers(t, n) == "" && n.Do(t, step.Request{Op: step.List, Path: "/var/lib/kubelet/pods/*"}).Data == ""
	})
	b.nothingIsLeft(t)
	// What load has written stays as it was: the agent that watched can write only a
	// file of its own. Both are in memory, until the node boots again.
	if state := readState(t, n, stateFile); state.Backend != outcome.PFRing || state.Reason != outcome.AlreadyLoaded {
		t.Errorf("load says %+v", state)
	}
	if state := readState(t, n, watchFile); state.Backend != outcome.Libpcap || state.Reason != outcome.ModuleGone {
		t.Errorf("%+v", state)
	}
}
