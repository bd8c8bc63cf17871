// Package inject_test runs pfring inject in the places where people put it:
// as Helm's post-renderer, as a Kustomize function, and as a pipe.
package inject_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

const fixtures = "../../internal/inject/testdata"

func pfring(t *testing.T) string {
	t.Helper()
	path, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAsAPipe(t *testing.T) {
	program := pfring(t)
	run := func(in string, args ...string) string {
		cmd := exec.Command(program, append([]string{"inject"}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		if err != nil || errOut.Len() > 0 {
			t.Fatalf("%v: %s", err, errOut.String())
		}
		return string(out)
	}
	before := read(t, fixtures+"/53.3.yaml")
	after := run(before)
	if after != read(t, fixtures+"/golden/53.3.default.yaml") {
		t.Errorf("not what package inject gives:\n%s", after)
	}
	if run(after) != after || run(after, "--remove") != before {
		t.Error("again or removed, it is not what it should be")
	}
}

func TestAsHelmsPostRenderer(t *testing.T) {
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	chart := t.TempDir()
	write(t, chart, map[string]string{
		"Chart.yaml":            "apiVersion: v2\nname: kubeshark\nversion: 53.3.0\n",
		"templates/worker.yaml": read(t, fixtures+"/53.3.yaml"),
		"templates/hook.yaml":   "apiVersion: v1\nkind: Pod\nmetadata: {name: before, annotations: {helm.sh/hook: pre-install}}\nspec: {containers: [{name: a, image: b}]}\n",
	})
	cmd := exec.Command(helm, "template", "kubeshark", chart, "--post-renderer", pfring(t), "--post-renderer-args", "inject", "--post-renderer-args", "--mode=kmm")
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.Count(string(out), "name: pfring-wait") != 1 || strings.Contains(string(out), "pfring-state") || !strings.Contains(string(out), "# nothing yet") || !strings.Contains(string(out), "helm.sh/hook: pre-install") {
		t.Errorf("%s", out)
	}
}

func TestAsAKustomizeFunction(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"kubeshark.yaml":     read(t, fixtures+"/53.3.yaml"),
		"kustomization.yaml": "resources:\n- kubeshark.yaml\ntransformers:\n- pfring.yaml\n",
		"pfring.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: pfring-inject
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: ./pfring-inject
data:
  wait-timeout: 30s
`,
		"pfring-inject": "#!/bin/sh\nexec " + pfring(t) + " inject\n",
	})
	if err := os.Chmod(filepath.Join(dir, "pfring-inject"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := krusty.MakeDefaultOptions()
	o.PluginConfig.FnpLoadingOptions.EnableExec = true
	o.PluginConfig.PluginRestrictions = types.PluginRestrictionsNone // as --enable-alpha-plugins does
	o.PluginConfig.FnpLoadingOptions.WorkingDir = dir
	t.Chdir(dir)
	result, err := krusty.MakeKustomizer(o).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := result.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"name: pfring-wait", "name: pfring-state", "-lt 30 ]"} {
		if strings.Count(string(out), want) < 1 {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "config.kubernetes.io/") || strings.Contains(string(out), "ResourceList") {
		t.Errorf("traces of the function are left:\n%s", out)
	}
}
