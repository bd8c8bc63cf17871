package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
)

// process is this test's binary as the program, in a process of its own.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	path, err := exec.LookPath("pfring")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a bound on a test that fails
	t.Cleanup(cancel)
	cmd, stderr = exec.CommandContext(ctx, path, args...), &bytes.Buffer{}
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, stderr
}

// A full disk behind a redirection must not leave half an answer that looks whole.
func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts a process for each command; run without -short")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	source := []string{"--kernel", "6.1.0-18-cloud-amd64", "--source", url, "--public-key", key}
	runs := [][]string{
		{"--help"}, {"--version"}, {"help", "plan"}, {"completion", "bash"}, {"completion", "zsh"}, {"__complete", "pla"},
		{"version", "-o", "json"}, {"schema"}, {"schema", "-o", "markdown"}, {"explain", "no-module-for-kernel"}, {"prereq", "list"},
		slices.Concat([]string{"compatibility"}, source), slices.Concat([]string{"compatibility", "-o", "json"}, source), slices.Concat([]string{"compatibility", "-o", "name"}, source),
		slices.Concat([]string{"plan"}, source), slices.Concat([]string{"plan", "-o", "values"}, source), slices.Concat([]string{"plan", "-o", "yaml"}, source),
		{"validate", "--set", "tap.kernelModule.mode=auto"}, {"validate", "--set", "tap.kernelModule.mode=auto", "-o", "json"}, {"render", "--set", "tap.kernelModule.mode=auto"},
		{"module", "build", "--print", "dockerfile", "--os-image", "Debian GNU/Linux 12 (bookworm)"},
		{"module", "mirror", strings.TrimPrefix(url, "file://"), filepath.Join(t.TempDir(), "copy"), "--public-key", key},
	}
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, c := range cmd.Commands() {
			own := append(slices.Clone(path), c.Name())
			runs = append(runs, append(slices.Clone(own), "--help"))
			walk(c, own)
		}
	}
	walk(cli.New(cli.Options{}), nil)
	for _, args := range runs {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			cmd, stderr := process(t, args...)
			cmd.Stdout = full
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(stderr.String(), "Error: cannot write to standard output: no space left on device\n") {
				t.Errorf("%v\n%s", err, stderr)
			}
		})
	}
}

// What reads only the first lines, as head does, ends a command without a word.
func TestAReaderThatLeavesIsNoError(t *testing.T) {
	for _, args := range [][]string{{"schema"}, {"plan", "--help"}, {"completion", "bash"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd, stderr := process(t, args...)
		cmd.Stdout = w
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		err = cmd.Run()
		status, is := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !is || !status.Signaled() || status.Signal() != syscall.SIGPIPE || stderr.Len() > 0 {
			t.Errorf("%v: %v\n%s", args, err, stderr)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever a command waits for, one signal ends it, with the exit code of an
// interruption and without a word of error.
func TestASignalEndsACommandThatWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts a process for each command; run without -short")
	}
	// A server that takes connections and never answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections := make(chan net.Conn)
	go func() {
		defer close(connections)
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			connections <- c
		}
	}()
	var open []net.Conn
	t.Cleanup(func() {
		_ = silent.Close()
		for c := range connections {
			_ = c.Close()
		}
		for _, c := range open {
			_ = c.Close()
		}
	})
	server := "https://" + silent.Addr().String()
	dir := t.TempDir()
	kubeconfig, values := filepath.Join(dir, "config"), filepath.Join(dir, "values.yaml")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: t}}]\n", server)
	for path, text := range map[string]string{kubeconfig: text, values: "tap: {kernelModule: {mode: auto}}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"status"}, {"status", "--wait"}, {"status", "--watch"}, {"retry"}, {"prereq", "check"}, {"compatibility"}, {"plan"}, {"diff", "pfring", "-f", values},
		{"inject", "--live"}, {"module", "build"},
		{"compatibility", "--kernel", "6.1.0", "--source", server + "/x"}, {"plan", "--kernel", "6.1.0", "--source", server + "/x"},
		{"module", "inspect", server + "/x.ko"}, {"module", "mirror", server + "/x", filepath.Join(dir, "copy"), "--verify", "checksum"},
		{"module", "mirror", "oci://" + silent.Addr().String() + "/x", filepath.Join(dir, "copy"), "--verify", "checksum"},
	} {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(strings.Join(args, " ")+" "+s.String(), func(t *testing.T) {
				cmd, stderr := process(t, args...)
				cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					_ = cmd.Wait() // how it ended is in ProcessState
				}()
				select {
				case c := <-connections:
					open = append(open, c)
				case <-ended:
					t.Fatalf("it did not ask: %v\n%s", cmd.ProcessState, stderr)
				}
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				for {
					select {
					case c := <-connections: // of a command that asks for several things at once
						open = append(open, c)
						continue
					case <-ended:
					}
					break
				}
				if code := cmd.ProcessState.ExitCode(); code != 130 || strings.Contains(stderr.String(), "Error") {
					t.Errorf("exit code %d\n%s", code, stderr)
				}
			})
		}
	}
}
