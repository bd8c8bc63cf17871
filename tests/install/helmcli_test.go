package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// helmCLI is a command as people have it.
type helmCLI struct {
	*bed
	program, chart string
	env            []string
}

func (h *helmCLI) run(args ...string) string {
	h.t.Helper()
	cmd := exec.CommandContext(h.ctx, h.program, append(args, "-n", h.namespace)...)
	cmd.Env = append(os.Environ(), h.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// valuesFile writes values for -f.
func (h *helmCLI) valuesFile(values map[string]any) string {
	h.t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		h.t.Fatal(err)
	}
	file := filepath.Join(h.t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return file
}

// Both majors of helm take a release through its life, and give it the same objects.
func TestALifeByTheCommandsOfHelm3And4(t *testing.T) {
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	manifests := make(chan []object, 2)
	t.Run("each", func(t *testing.T) {
		for version, build := range map[string]func() (string, error){"3": func() (string, error) { return toolbin.Tool(toolbin.Helm) }, "4": toolbin.Helm4} {
			t.Run(version, func(t *testing.T) {
				program, err := build()
				if err != nil {
					t.Fatal(err)
				}
				b := newBed(t, 2)
				b.sayAll(kube.Loaded())
				h := &helmCLI{b, program, filepath.Join(root, "charts", "kubeshark-pfring"), []string{
					"KUBECONFIG=" + shared.Kubeconfig, "HELM_CACHE_HOME=" + t.TempDir(), "HELM_CONFIG_HOME=" + t.TempDir(), "HELM_DATA_HOME=" + t.TempDir(),
				}}
				source := map[string]any{"source": map[string]any{"url": "https://modules.example.com", "verify": "none"}}
				auto, kmm := h.valuesFile(b.values("auto", source)), h.valuesFile(b.values("kmm", nil))
				h.run("install", "pfring", h.chart, "-f", auto, "--wait", "--timeout", "2m")
				b.isIn("auto", 2)
				first := parse(t, strings.ReplaceAll(h.run("get", "manifest", "pfring"), b.namespace, "NAMESPACE"))
				h.run("upgrade", "pfring", h.chart, "-f", kmm, "--wait", "--timeout", "2m")
				b.isIn("kmm", 2)
				h.run("rollback", "pfring", "1", "--wait", "--timeout", "2m")
				b.isIn("auto", 2)
				h.run("test", "pfring", "--timeout", "2m")
				h.run("uninstall", "pfring", "--wait", "--timeout", "2m")
				b.nothingIsLeft()
				manifests <- first
			})
		}
	})
	close(manifests)
	var all [][]object
	for m := range manifests {
		all = append(all, m)
	}
	if len(all) != 2 || len(all[0]) == 0 || !reflect.DeepEqual(all[0], all[1]) {
		t.Errorf("the two do not install the same objects:\n%v", all)
	}
}
