package inject

import (
	"bytes"
	"context"
	"errors"
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
	var checks []func()
	for name, test := range map[string]struct {
		module, state, watch, boot, mode, says string
	}{
		"loaded":                             {"live\n", "", "", "b1\n", "auto", "PF_RING is loaded"},
		"loaded, kmm":                        {"live\n", "", "", "b1\n", "kmm", "PF_RING is loaded"},
		"known to be libpcap":                {"", state("b1", "libpcap"), "", "b1\n", "auto", "this node stays on libpcap"},
		"libpcap, kmm":                       {"", state("b1", "libpcap"), "", "b1\n", "kmm", "was not loaded in 1 seconds"},
		"libpcap, last boot":                 {"", state("b0", "libpcap"), "", "b1\n", "auto", "was not loaded in 1 seconds"},
		"loaded by the state":                {"", state("b1", "pf_ring"), "", "b1\n", "auto", "was not loaded in 1 seconds"},
		"on its way":                         {"coming\n", "", "", "b1\n", "auto", "was not loaded in 1 seconds"},
		"nothing":                            {"", "", "", "", "auto", "was not loaded in 1 seconds"},
		"unloaded by an agent that has gone": {"", state("b1", "pf_ring"), state("b1", "libpcap"), "b1\n", "auto", "this node stays on libpcap"},
		"unloaded in the last boot":          {"", "", state("b0", "libpcap"), "b1\n", "auto", "was not loaded in 1 seconds"},
		"unloaded, kmm":                      {"", "", state("b1", "libpcap"), "b1\n", "kmm", "was not loaded in 1 seconds"},
		"no boot id, no state":               {"", state("", "libpcap"), "", "", "auto", "was not loaded in 1 seconds"},
	} {
		for _, shell := range shells(t) {
			dir := t.TempDir()
			for file, text := range map[string]string{"initstate": test.module, "boot_id": test.boot, "state.json": test.state, "watch.json": test.watch} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := options(func(o *Options) { o.Mode, o.Timeout = test.mode, time.Second })
			text := strings.NewReplacer(
				"/sys/module/pf_ring/initstate", dir+"/initstate", "/proc/sys/kernel/random/boot_id", dir+"/boot_id", o.StateFile, dir+"/state.json", o.watchFile(), dir+"/watch.json",
			).Replace(script(&o))
			checks = append(checks, startScript(t, name, shell, text, func(t *testing.T, out string) {
				if !strings.Contains(out, test.says) || strings.Count(out, "\n") != 1 {
					t.Errorf("%q", out)
				}
			}))
		}
	}
	for _, check := range checks {
		check()
	}
}

// startScript starts a script, most of which only wait, and returns the test of its
// output as a subtest: so that they wait side by side, more than there are processors.
func startScript(t *testing.T, name string, shell []string, text string, check func(t *testing.T, out string)) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, shell[0], append(shell[1:], "-c", text)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Run(name+" in "+filepath.Base(shell[0]), func(t *testing.T) {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v %.300s", err, out.String())
			}
			check(t, out.String())
		})
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

// Whoever gets into the container that watches may put anything where its state
// file is: a pipe that nobody writes to, a file without end, another that changes
// as it is read.
func TestTheScriptIsNotHeldUpByWhatIsInThePlaceOfAStateFile(t *testing.T) {
	var checks []func()
	for name, put := range map[string]func(path string) error{
		"a pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"10 GB of nothing": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 10<<30))
		},
		"a line without end": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("x"), 32<<20), 0o600)
		},
	} {
		for _, shell := range shells(t) {
			dir := t.TempDir()
			if err := put(dir + "/watch.json"); err != nil {
				t.Logf("%s cannot be made here: %v", name, err)
				continue
			}
			o := options(func(o *Options) { o.Timeout = 2 * time.Second })
			text := strings.NewReplacer(o.StateFile, dir+"/watch.json", o.watchFile(), dir+"/watch.json", "[ ! -f ", "[ -z ").Replace(script(&o))
			checks = append(checks, startScript(t, name, shell, text, func(t *testing.T, out string) {
				if !strings.Contains(out, "was not loaded in 2 seconds") {
					t.Errorf("%.300s", out)
				}
			}))
		}
	}
	for _, check := range checks {
		check()
	}
}

// shells are sh and what else of its kind is there.
func shells(t *testing.T) [][]string {
	t.Helper()
	list := [][]string{{"/bin/sh"}}
	sh, _ := filepath.EvalSymlinks("/bin/sh")
	for _, s := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		path, err := exec.LookPath(s[0])
		if real, _ := filepath.EvalSymlinks(path); err == nil && real != sh {
			list = append(list, append([]string{path}, s[1:]...))
		}
	}
	return list
}
