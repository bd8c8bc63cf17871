package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// Capability sets as the kernel prints them.
const (
	none      = "0000000000000000"
	sysModule = "0000000000010000"
)

// process is what /proc says of a process of the agent.
type process map[string]string

// agent finds the agent's process with a command, nil if there is none.
func agent(t *testing.T, n *node.Node, command string) process {
	t.Helper()
	found := n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/pidof", "pfring-agent"}}).Stdout
	for _, pid := range strings.Fields(found) {
		// It may have ended by now.
		line := strings.Split(n.Read(t, "/proc/"+pid+"/cmdline"), "\x00")
		status := n.Read(t, "/proc/"+pid+"/status")
		if len(line) > 1 && line[1] == command && strings.Contains(status, "CapEff") {
			p := process{}
			for l := range strings.Lines(status) {
				key, value, _ := strings.Cut(l, ":")
				p[key] = strings.Join(strings.Fields(value), " ")
			}
			return p
		}
	}
	return nil
}

// processOf is the agent's process with a command.
func processOf(t *testing.T, n *node.Node, command string) process {
	t.Helper()
	p := agent(t, n, command)
	if p == nil {
		t.Fatalf("there is no pfring-agent %s on the node", command)
	}
	return p
}

// catch waits for that process while something goes on, and sees it at work.
func catch(t *testing.T, n *node.Node, command string, done <-chan error) process {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if p := agent(t, n, command); p != nil {
			return p
		}
		select {
		case err := <-done:
			t.Fatalf("pfring-agent %s was not seen before the end: %v", command, err)
		default:
		}
	}
	t.Fatalf("pfring-agent %s did not start", command)
	return nil
}

func (p process) has(t *testing.T, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if p[key] != value {
			t.Errorf("process %s: %s is %q, want %q", p["Name"], key, p[key], value)
		}
	}
}
