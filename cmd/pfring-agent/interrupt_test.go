package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// An agent that is asked to end before it has an outcome writes none: what stood
// before stands.
func TestAnInterruptionLeavesWhatWasWrittenBefore(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	const before = `{"schemaVersion":1,"backend":"pf_ring","reason":"loaded"}` + "\n"
	for _, name := range []string{"outcome.json", "state.json", "termination"} {
		if err := os.WriteFile(path(name), []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, command := range []string{"load", "wait"} {
		var stdout, stderr bytes.Buffer
		code := agent(ctx, []string{
			command, "--proc=" + dir, "--sys=" + dir, "--host-sys=" + dir, "--source-url=file://" + dir, "--wait-mode=auto",
			"--outcome-file=" + path("outcome.json"), "--state-file=" + path("state.json"), "--termination-log=" + path("termination"),
		}, &stdout, &stderr)
		// Without a kernel that takes modules there is an outcome at once, if not asked to end.
		if code != exitInterrupted || stdout.Len() > 0 {
			t.Errorf("%s: code %d, %s%s", command, code, stdout.String(), stderr.String())
		}
		for _, name := range []string{"outcome.json", "state.json", "termination"} {
			if data, err := os.ReadFile(path(name)); err != nil || string(data) != before {
				t.Errorf("%s: %s is now %s, %v", command, name, data, err)
			}
		}
	}
	if o, err := outcome.Parse([]byte(before)); err != nil || o.Reason != outcome.Loaded {
		t.Fatal(err)
	}
}

// That a module is loaded is written down, though the agent is asked to end: it is
// what the kernel has. Of one that was there before less may be known than
// stood there.
func TestAnInterruptedAgentWritesDownOnlyWhatItHasLoaded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for reason, want := range map[outcome.Reason]int{
		outcome.Loaded: 0, outcome.Replaced: 0,
		outcome.AlreadyLoaded: exitInterrupted, outcome.OtherVersionLoaded: exitInterrupted, outcome.SourceTimeout: exitInterrupted, outcome.KernelRejected: exitInterrupted,
	} {
		wrote := false
		o := outcome.Outcome{Backend: outcome.PFRing, Reason: reason}
		if !reason.Good() {
			o.Backend = outcome.Libpcap
		}
		s := &settings{onUnavailable: "fallback", log: slog.New(slog.DiscardHandler)}
		code, err := s.publish(ctx, o, io.Discard, func() outcome.Outcome { wrote = true; return o })
		if code != want || err != nil || wrote != (want == 0) {
			t.Errorf("%s: code %d, %v, written: %v", reason, code, err, wrote)
		}
	}
}
