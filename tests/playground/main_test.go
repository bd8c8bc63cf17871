package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// screen is a writer that can be read while it is written to.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// What is printed must work as it stands there, and nothing may be left.
func TestTheCommandsThatAreShownWork(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs a control plane; run without -short")
	}
	ctx, stop := context.WithCancel(t.Context())
	out := &screen{}
	done := make(chan error, 1)
	go func() { done <- run(ctx, 14, out) }()
	waiting, cancel := context.WithTimeout(t.Context(), 20*time.Minute) // the first build takes minutes
	defer cancel()
	err := kube.Poll(waiting, "the playground", func(context.Context) (bool, error) {
		select {
		case err := <-done:
			done <- err
			return true, err
		default:
			return strings.Contains(out.String(), "Ctrl-C"), nil
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shown := out.String()
	kubeconfig := regexp.MustCompile(`KUBECONFIG=(\S+)`).FindStringSubmatch(shown)
	pfring := regexp.MustCompile(`alias pfring=(\S+)`).FindStringSubmatch(shown)
	lines := regexp.MustCompile(`(?m)^  pfring (.+)$`).FindAllStringSubmatch(shown, -1)
	if kubeconfig == nil || pfring == nil || len(lines) != 5 {
		t.Fatalf("not five commands:\n%s", shown)
	}
	// Nothing is piped into kubectl here, so status finds nothing installed.
	want := map[string]struct {
		code int
		says string
	}{
		"compatibility": {1, "are not supported"}, "plan": {0, "Use auto: the cluster builds the modules itself"}, "render": {0, "kind: DaemonSet"}, "status": {2, "not installed"},
		// 14 nodes are of 6 kernels in 3 zones; Bottlerocket is locked down.
		"prereq": {0, "signature-required"},
	}
	for _, line := range lines {
		// Without a shell and what it is piped into.
		args := strings.Fields(strings.SplitN(strings.SplitN(line[1], " | ", 2)[0], " > ", 2)[0])
		cmd := exec.Command(pfring[1], args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig[1])
		text, err := cmd.CombinedOutput()
		if w := want[args[0]]; cmd.ProcessState.ExitCode() != w.code || !strings.Contains(string(text), w.says) {
			t.Errorf("%v: %v, want exit %d and %q\n%s", args, err, w.code, w.says, text)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if _, err := os.Stat(kubeconfig[1]); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", kubeconfig[1], err)
	}
}
