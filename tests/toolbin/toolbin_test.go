package toolbin_test

import (
	"os"
	"os/exec"
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
		t.Error("the second call built it anew")
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
		t.Skip("-short: builds helm 4 and Argo CD's library; run without -short")
	}
	t.Run("helm 4", func(t *testing.T) { runs(t, toolbin.Helm4, "", "v4.", "version", "--short") })
	t.Run("argo", func(t *testing.T) {
		runs(t, toolbin.Argo, `[{"live": {"apiVersion": "v1", "kind": "ConfigMap"}}]`, `"Differs":false`)
	})
}

func TestFluxIsBuiltAndRun(t *testing.T) {
	if os.Getenv(toolbin.FluxEnv) == "" {
		t.Skip("builds flux, for more than ten minutes: make e2e-flux")
	}
	runs(t, toolbin.Flux, "", "flux version", "--version")
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
