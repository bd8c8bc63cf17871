package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/child"
)

// run watches and serves, as the agent's main container does, until its standard
// input ends. It prints its address.
func (k *kernel) run() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := node.NewWatch(node.WatchOptions{Host: k.host(), Node: "n1", ModuleName: "pf_ring", Poll: time.Second, Log: slog.New(slog.DiscardHandler)})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println(l.Addr())
	return w.Serve(ctx, l, node.ServerOptions{Metrics: true})
}

func (k *kernel) probe(j job) outcome.Probe {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(j.TimeoutMS)*time.Millisecond)
	defer cancel()
	return node.Probe(ctx, node.ProbeOptions{
		Host: k.host(), Node: "n1", ModuleName: "pf_ring", Sources: []string{j.URL},
		Open: func(string) (module.Source, error) { return module.OpenSource(j.source()) },
	})
}

// The agent that serves goes on, within the chart's memory, and answers kubelet's
// probes, whatever others do with their connections.
func TestTheAgentThatServesSurvivesHostileConnections(t *testing.T) {
	g := newGroup(t)
	k := newKernel(t)
	if err := k.InitModule([]byte("module"), ""); err != nil {
		t.Fatal(err)
	}
	cmd := g.command(t, job{Root: k.root, Does: "run"})
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	ended, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	for _, attack := range []struct {
		name        string
		connections int
		begin       string
		// more is sent again and again as long as it is taken; "" sends nothing.
		more string
	}{
		{"idle connections", 1000, "", ""},
		{"requests that never end", 300, "GET /metrics HTTP/1.1\r\nHost: a\r\n", ""},
		{"headers without an end", 200, "GET /metrics HTTP/1.1\r\n", "X-A: " + strings.Repeat("a", 4000) + "\r\n"},
		{"one header without an end", 200, "GET /metrics HTTP/1.1\r\nX-A: ", strings.Repeat("a", 64<<10)},
		{"bodies without an end", 200, "POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\naaaaaaaa\r\n"},
		{"answers that nobody reads", 200, "", strings.Repeat("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 50)},
	} {
		t.Run(attack.name, func(t *testing.T) {
			var all sync.WaitGroup
			for range attack.connections {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatalf("connecting: %v", err)
				}
				defer conn.Close()
				all.Go(func() { press(conn, attack.begin, attack.more) })
			}
			all.Wait()
			for _, path := range []string{"/readyz", "/metrics"} {
				if err := asks("http://" + address + path); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			t.Logf("run | %s, %d | answers | %d MiB", attack.name, attack.connections, g.held(t))
		})
	}
	if err := input.Close(); err != nil {
		t.Error(err)
	}
	<-ended
	if n := g.killed(t); n != "0" || cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("%s processes were killed for want of memory; the agent has ended with %v", n, cmd.ProcessState)
	}
}

// press sends what it can: up to a hundred times what there is more, or until the
// other side takes no more.
func press(conn net.Conn, begin, more string) {
	if conn.SetWriteDeadline(time.Now().Add(5*time.Second)) != nil {
		return
	}
	if _, err := io.WriteString(conn, begin); err != nil || more == "" {
		return
	}
	for range 100 {
		if _, err := io.WriteString(conn, more); err != nil {
			return
		}
	}
}

// asks as kubelet does, by a new connection.
func asks(url string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// A probe is an agent with the same limit, and its targets may be as hostile.
func TestAProbeEndsWithinTheChartsMemory(t *testing.T) {
	newGroup(t)
	want := map[string]bool{
		"none": true, "endless body of the index": true, "index without an end, of real entries": true, "slow drip": true,
		"index of 100,000 modules, signed": true, "index with one huge text, signed": true,
	}
	for _, s := range sites(t) {
		for _, f := range table() {
			if !want[f.name] || !s.tries(f) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				j, _ := f.job(t, s)
				j.Does = "probe"
				g := newGroup(t)
				p := g.run(t, j).Probe
				if p == nil || len(p.Targets) != 1 {
					t.Fatalf("the probe says %+v", p)
				}
				t.Logf("probe %s | %s | answers: %v %s | %d MiB", s.name, f.name, p.Targets[0].OK, p.Targets[0].Reason, g.held(t))
				if line, err := p.Encode(); err != nil || len(line) > 4096 {
					t.Errorf("%d bytes: %v", len(line), err)
				}
			})
		}
	}
}
