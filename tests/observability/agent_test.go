package observability_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// agent is the agent's server over a machine made of files.
type agent struct {
	t             *testing.T
	dir, url, pod string
}

// newAgent starts the agent on a node whose init container said first.
func newAgent(t *testing.T, name string, first outcome.Outcome) *agent {
	t.Helper()
	a := &agent{t: t, dir: t.TempDir(), pod: "pfring-agent-" + name}
	first.Node, first.Kernel, first.Arch, first.SchemaVersion, first.Time = name, "6.1.0-56-amd64", "amd64", 1, time.Now()
	a.write("proc/modules", "")
	if first.Backend == outcome.PFRing {
		a.write("proc/modules", "pf_ring 1032192 1 - Live 0x0000000000000000 (OE)\n")
		a.write("proc/net/pf_ring/info", "PF_RING Version          : "+first.Module.Version+"\n")
		a.write("sys/module/pf_ring/version", first.Module.Version+"\n")
		a.write("sys/module/pf_ring/initstate", "live\n")
		// What was verified holds for this very load of the module.
		info, err := os.Stat(filepath.Join(a.dir, "sys/module/pf_ring"))
		if err != nil {
			t.Fatal(err)
		}
		first.Module.Instance = info.Sys().(*syscall.Stat_t).Ino
	}
	log := slog.New(slog.DiscardHandler)
	outcomeFile := filepath.Join(a.dir, "outcome.json")
	node.Record{Shared: outcomeFile}.Write(first, log)
	w := node.NewWatch(node.WatchOptions{
		Host: &node.Host{Proc: a.dir + "/proc", Sys: a.dir + "/sys", Kernel: node.Linux{}},
		Node: name, ModuleName: "pf_ring", First: outcomeFile, Poll: time.Hour, Log: log,
	})
	if got := w.Outcome(); got.Reason != first.Reason {
		t.Fatalf("the agent takes %s for %s: %s", first.Reason, got.Reason, got.Message)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.Serve(t.Context(), l, node.ServerOptions{Metrics: true, Rings: true}) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	a.url = "http://" + l.Addr().String() + "/metrics"
	return a
}

func (a *agent) write(name, text string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// ring sets the counters of the worker's ring, in PF_RING's form.
func (a *agent) ring(packets, lost int) {
	a.t.Helper()
	a.write("proc/100/net/dev", "x")
	a.write("proc/100/net/pf_ring/100-eth0.1", fmt.Sprintf("Bound Device(s)    : eth0\nActive             : 1\nAppl. Name         : worker\nTot Packets        : %d\nTot Pkt Lost       : %d\n", packets, lost))
}

// scrape asks /metrics, with the labels that the PodMonitor gives.
func (a *agent) scrape(minute int) scrape {
	a.t.Helper()
	resp, err := http.Get(a.url)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close() // was read
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%v %s", err, resp.Status)
	}
	return scrape{minute, map[string]string{"namespace": "kubeshark", "pod": a.pod, "node": a.pod[len("pfring-agent-"):]}, string(text)}
}
