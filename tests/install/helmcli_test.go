package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// helms builds both majors.
func helms() map[string]func() (string, error) {
	return map[string]func() (string, error){"3": func() (string, error) { return toolbin.Tool(toolbin.Helm) }, "4": toolbin.Helm4}
}

// newHelmCLI is helm with this checkout's chart, on two nodes that load well.
func newHelmCLI(t *testing.T, build func() (string, error)) *helmCLI {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, 2)
	b.sayAll(kube.Loaded())
	return &helmCLI{b, program, filepath.Join(root, "charts", "kubeshark-pfring"), []string{
		"KUBECONFIG=" + shared.Kubeconfig, "HELM_CACHE_HOME=" + t.TempDir(), "HELM_CONFIG_HOME=" + t.TempDir(), "HELM_DATA_HOME=" + t.TempDir(),
	}}
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
	manifests := make(chan []object, 2)
	t.Run("each", func(t *testing.T) {
		for version, build := range helms() {
			t.Run(version, func(t *testing.T) {
				h := newHelmCLI(t, build)
				b := h.bed
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

// olderChart is the chart as it was before supply, as far as Helm keeps it: its
// default source was Kubeshark's repository.
func (h *helmCLI) olderChart() string {
	h.t.Helper()
	dir := filepath.Join(h.t.TempDir(), "kubeshark-pfring")
	if err := os.CopyFS(dir, os.DirFS(h.chart)); err != nil {
		h.t.Fatal(err)
	}
	const older = "tap:\n  kernelModule:\n    enabled: true\n    mode: auto\n    source: {url: https://api.kubeshark.co/kernel-modules, verify: signature}\n"
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(older), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return dir
}

// controllers counts the release's Deployments.
func (h *helmCLI) controllers() int {
	h.t.Helper()
	list, err := shared.Client.AppsV1().Deployments(h.namespace).List(h.ctx, metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return len(list.Items)
}

// Reused values keep the source of the chart that they are from; new defaults bring the controller, and a rollback takes it
// away. What somebody else has applied is taken over, and a kept history is gone on from.
func TestHelm3And4GoOnFromWhatIsThere(t *testing.T) {
	for version, build := range helms() {
		t.Run(version, func(t *testing.T) {
			h := newHelmCLI(t, build)
			values := h.valuesFile(h.values("auto", nil))
			upgrade := func(wantControllers int, args ...string) {
				t.Helper()
				h.run(append(args, "--wait", "--timeout", "2m")...)
				if got := h.controllers(); got != wantControllers {
					t.Errorf("helm %s: %d controllers, want %d", strings.Join(args, " "), got, wantControllers)
				}
				h.isIn("auto", 2)
			}
			h.apply(parse(t, h.run("template", "pfring", h.chart, "-f", values, "--skip-tests")))
			upgrade(1, "install", "pfring", h.chart, "-f", values, "--take-ownership")
			h.run("uninstall", "pfring", "--wait", "--timeout", "2m")
			h.nothingIsLeft()

			upgrade(0, "install", "pfring", h.olderChart(), "-f", values)
			upgrade(0, "upgrade", "pfring", h.chart, "--reuse-values")
			upgrade(1, "upgrade", "pfring", h.chart, "--reset-then-reuse-values")
			upgrade(0, "rollback", "pfring", "1")
			upgrade(1, "rollback", "pfring", "3")
			h.run("uninstall", "pfring", "--keep-history", "--wait", "--timeout", "2m")
			upgrade(1, "rollback", "pfring", "3")
			h.run("uninstall", "pfring", "--keep-history", "--wait", "--timeout", "2m")
			upgrade(1, "install", "pfring", h.chart, "-f", values, "--replace")
			h.run("uninstall", "pfring", "--wait", "--timeout", "2m")
			h.nothingIsLeft()
		})
	}
}
