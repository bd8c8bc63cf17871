package packages_test

import (
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// home is helm with a home of its own.
type home struct {
	t    *testing.T
	helm string
	env  []string
}

func newHome(t *testing.T) *home {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds helm; run without -short")
	}
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	return &home{t, helm, []string{"HELM_CACHE_HOME=" + t.TempDir(), "HELM_CONFIG_HOME=" + t.TempDir(), "HELM_DATA_HOME=" + t.TempDir(), "KUBECONFIG=/nowhere"}}
}

func (h *home) run(args ...string) string {
	h.t.Helper()
	return run(h.t, root(h.t), h.env, h.helm, args...)
}

// fails runs helm, which must fail, and returns what it says.
func (h *home) fails(args ...string) string {
	h.t.Helper()
	cmd := exec.Command(h.helm, args...)
	cmd.Dir, cmd.Env = root(h.t), append(os.Environ(), h.env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		h.t.Errorf("helm %s succeeds:\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

// worksAsPlugin checks `helm pfring`: Helm keeps -n, --kube-context and --kubeconfig to itself.
func (h *home) worksAsPlugin(version string) {
	h.t.Helper()
	if out := h.run("pfring", "version"); !strings.Contains(out, version) {
		h.t.Errorf("helm pfring version: %s", out)
	}
	if out := h.run("pfring", "render", "examples/auto.yaml", "-n", "capture"); !strings.Contains(out, "namespace: capture") && !strings.Contains(out, "namespace: \"capture\"") {
		h.t.Errorf("helm keeps -n to itself, and pfring does not know:\n%.800s", out)
	}
	if out := h.run("pfring", "render", "--help"); !strings.Contains(out, "helm pfring render") {
		h.t.Errorf("the help does not read as it was typed:\n%s", out)
	}
	if out := h.fails("pfring", "status", "--kube-context", "elsewhere"); !strings.Contains(out, "elsewhere") {
		h.t.Errorf("helm keeps --kube-context to itself, and pfring does not know:\n%s", out)
	}
	if out := h.fails("pfring", "validate", "examples/auto.yaml", "--set", "tap.kernelModule.mode=kkm"); !strings.Contains(out, "tap.kernelModule.mode") {
		h.t.Errorf("%s", out)
	}
}

func TestAsAHelmPluginFromASourceFolder(t *testing.T) {
	h := newHome(t)
	folder := filepath.Join(t.TempDir(), "kubeshark-pfring")
	copySource(t, root(t), folder)
	h.run("plugin", "install", folder)
	h.worksAsPlugin("pfring ")
	h.run("plugin", "uninstall", "pfring")
}

// copySource copies what is in git, or would be.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (name == ".git" || name == "bin" || name == "dist"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o750)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode())
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAsAHelmPluginFromARelease(t *testing.T) {
	dir := released(t)
	h := newHome(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	h.run("plugin", "install", server.URL+"/pfring_"+version+"_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz")
	h.worksAsPlugin(version)
	h.run("plugin", "uninstall", "pfring")
}

func TestTheVersionsOfChartAndPluginAreOne(t *testing.T) {
	var plugin, chart struct{ Version, AppVersion string }
	for name, into := range map[string]any{"plugin.yaml": &plugin, "charts/kubeshark-pfring/Chart.yaml": &chart} {
		data, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	if plugin.Version != chart.Version || chart.AppVersion != chart.Version {
		t.Errorf("plugin.yaml %s, Chart.yaml %s and appVersion %s", plugin.Version, chart.Version, chart.AppVersion)
	}
	if out, err := exec.Command("go", "run", "../../hack/chart", "--release", "v9.9.9", "--output", t.TempDir()).CombinedOutput(); err == nil || !strings.Contains(string(out), "set both") {
		t.Errorf("a release of another version than the chart's: %v %s", err, out)
	}
}

// A release must put the image where the chart looks for it.
func TestTheReleasePushesTheImageThatTheChartNames(t *testing.T) {
	workflow, err := os.ReadFile(filepath.Join(root(t), ".github/workflows/release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Tap struct {
			Docker       struct{ Registry string }
			KernelModule struct {
				Agent struct{ Image struct{ Repository string } }
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(root(t), "charts/kubeshark-pfring/values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	want := "IMAGE=" + values.Tap.Docker.Registry + "/" + values.Tap.KernelModule.Agent.Image.Repository + "\n"
	if !strings.Contains(string(workflow), want) {
		t.Errorf("release.yml has no %s", want)
	}
}

func TestTheChartFromARegistryRendersAsFromTheFolder(t *testing.T) {
	h := newHome(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts"
	var said []string
	for range 2 {
		said = append(said, run(t, root(t), append(h.env, "SOURCE_DATE_EPOCH=1700000000"), "go", "run", "./hack/chart", "--output", t.TempDir(), "--push", repository, "--plain-http"))
	}
	digest := func(s string) string { return s[strings.LastIndex(s, "@sha256:"):] }
	if digest(said[0]) != digest(said[1]) {
		t.Errorf("twice the same is\n%s\n%s", said[0], said[1])
	}
	for _, values := range []string{"examples/auto.yaml", "examples/kmm.yaml"} {
		want := h.run("template", "pfring", "charts/kubeshark-pfring", "-n", "kubeshark", "-f", values)
		got := h.run("template", "pfring", repository+"/kubeshark-pfring", "--version", "0.1.0", "--plain-http", "-n", "kubeshark", "-f", values)
		// helm tells on stderr what it pulls.
		_, gotObjects, _ := strings.Cut(got, "---\n")
		if _, wantObjects, ok := strings.Cut(want, "---\n"); !ok || gotObjects != wantObjects {
			t.Errorf("%s: from the registry the chart renders otherwise:\n%.1000s", values, got)
		}
	}
	h.run("pull", repository+"/kubeshark-pfring", "--version", "0.1.0", "--plain-http", "-d", t.TempDir())
	h.run("lint", "charts/kubeshark-pfring")
}
