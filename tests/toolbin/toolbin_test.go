package toolbin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func TestToolIsBuiltOnceAndRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds the program helm from tests/tools; run without -short")
	}
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(helm)
	if err != nil {
		t.Fatal(err)
	}
	again, err := toolbin.Tool(toolbin.Helm)
	if err != nil || again != helm {
		t.Fatalf("the second call gave %s, %v; the first %s", again, err, helm)
	}
	after, err := os.Stat(helm)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the second call built it again")
	}
	out, err := exec.Command(helm, "version", "--short").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "v3.") {
		t.Errorf("helm version: %v\n%s", err, out)
	}
}

func TestCacheDirIsTheOneTheEnvironmentNames(t *testing.T) {
	t.Setenv(toolbin.CacheEnv, "/somewhere/else")
	if dir, err := toolbin.CacheDir(); err != nil || dir != "/somewhere/else" {
		t.Errorf("got %q, %v", dir, err)
	}
}

func TestNeighboursAreBuiltAndRun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds helm 4 and the libraries of Argo CD and Flux; run without -short")
	}
	t.Run("helm 4", func(t *testing.T) { runs(t, toolbin.Helm4, "", "v4.", "version", "--short") })
	t.Run("argo", func(t *testing.T) {
		runs(t, toolbin.Argo, `[{"live": {"apiVersion": "v1", "kind": "ConfigMap"}}]`, `"Differs":false`)
	})
	t.Run("flux", func(t *testing.T) {
		dir := t.TempDir()
		for name, text := range map[string]string{"ks.yaml": "spec: {postBuild: {substitute: {a: put-in}}}\n", "p/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${a}'}\n"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		runs(t, toolbin.Flux, "", "name: put-in", filepath.Join(dir, "ks.yaml"), filepath.Join(dir, "p"))
	})
}

// runs builds a program, and wants it to say something of what it is given.
func runs(t *testing.T, build func() (string, error), input, says string, args ...string) {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), says) {
		t.Errorf("%v\n%s", err, out)
	}
}
