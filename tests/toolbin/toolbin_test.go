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
		t.Skip("-short: builds helm 4, flux and Argo CD's library; run without -short")
	}
	for name, test := range map[string]struct {
		build func() (string, error)
		args  []string
		input string
		says  string
	}{
		"helm 4": {toolbin.Helm4, []string{"version", "--short"}, "", "v4."},
		"flux":   {toolbin.Flux, []string{"--version"}, "", "flux version"},
		"argo":   {toolbin.Argo, nil, `[{"live": {"apiVersion": "v1", "kind": "ConfigMap"}}]`, `"Differs":false`},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := test.build()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, test.args...)
			cmd.Stdin = strings.NewReader(test.input)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), test.says) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
