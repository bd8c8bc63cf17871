package inject

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The script runs in whatever shell a worker's image has. Files of the kernel
// are put in place of the true ones.
func TestScriptEndsAsItShould(t *testing.T) {
	state := func(boot, backend string) string {
		return `{"schemaVersion":1,"node":"n","kernel":"k","arch":"amd64","bootID":"` + boot + `","backend":"` + backend + `","reason":"x"}` + "\n"
	}
	for name, test := range map[string]struct {
		module, state, boot, mode, says string
	}{
		"loaded":               {"live\n", "", "b1\n", "auto", "PF_RING is loaded"},
		"loaded, kmm":          {"live\n", "", "b1\n", "kmm", "PF_RING is loaded"},
		"known to be libpcap":  {"", state("b1", "libpcap"), "b1\n", "auto", "this node stays on libpcap"},
		"libpcap, kmm":         {"", state("b1", "libpcap"), "b1\n", "kmm", "was not loaded in 1 seconds"},
		"libpcap, last boot":   {"", state("b0", "libpcap"), "b1\n", "auto", "was not loaded in 1 seconds"},
		"loaded by the state":  {"", state("b1", "pf_ring"), "b1\n", "auto", "was not loaded in 1 seconds"},
		"on its way":           {"coming\n", "", "b1\n", "auto", "was not loaded in 1 seconds"},
		"nothing":              {"", "", "", "auto", "was not loaded in 1 seconds"},
		"no boot id, no state": {"", state("", "libpcap"), "", "auto", "was not loaded in 1 seconds"},
	} {
		for _, shell := range shells(t) {
			t.Run(name+" in "+filepath.Base(shell[0]), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for file, text := range map[string]string{"initstate": test.module, "boot_id": test.boot, "state.json": test.state} {
					if text == "" {
						continue
					}
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				o := options(func(o *Options) { o.Mode, o.Timeout = test.mode, time.Second })
				text := strings.NewReplacer(
					"/sys/module/pf_ring/initstate", dir+"/initstate", "/proc/sys/kernel/random/boot_id", dir+"/boot_id", o.StateFile, dir+"/state.json",
				).Replace(script(&o))
				cmd := exec.Command(shell[0], append(shell[1:], "-c", text)...)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), test.says) || strings.Count(string(out), "\n") != 1 {
					t.Errorf("%v, %q", err, out)
				}
			})
		}
	}
}

// Flux's postBuild and envsubst put values into ${…}, as Helm's templates into {{…}}.
func TestTheScriptHasNothingThatANeighbourRewrites(t *testing.T) {
	for _, mode := range []string{"auto", "kmm"} {
		o := options(func(o *Options) { o.Mode = mode })
		for _, text := range []string{"${", "{{", "$(("} {
			if strings.Contains(strings.ReplaceAll(script(&o), "$((i+1))", ""), text) {
				t.Errorf("%s: the script has %s:\n%s", mode, text, script(&o))
			}
		}
	}
}

// Opening a pipe that nobody writes to would never end.
func TestTheScriptDoesNotOpenAStateFileThatIsAPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "state.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipe can be made here: %v", err)
	}
	o := options(func(o *Options) { o.Timeout = time.Second })
	text := strings.ReplaceAll(script(&o), o.StateFile, pipe)
	for _, shell := range shells(t) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, shell[0], append(shell[1:], "-c", text)...).CombinedOutput()
		cancel()
		if err != nil || !strings.Contains(string(out), "was not loaded") {
			t.Errorf("%s: %v %s", shell, err, out)
		}
	}
}

// shells are sh and what else of its kind is there.
func shells(t *testing.T) [][]string {
	t.Helper()
	list := [][]string{{"/bin/sh"}}
	for _, s := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if path, err := exec.LookPath(s[0]); err == nil {
			list = append(list, append([]string{path}, s[1:]...))
		}
	}
	return list
}
