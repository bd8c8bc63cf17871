package packages_test

import (
	"bytes"
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

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/go-containerregistry/pkg/registry"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// eachHelm runs a test with both majors of helm.
func eachHelm(t *testing.T, test func(t *testing.T, h *home)) {
	t.Helper()
	for _, version := range []string{"3", "4"} {
		t.Run("helm "+version, func(t *testing.T) { test(t, newHome(t, version)) })
	}
}

// home is helm with a home of its own.
type home struct {
	t       *testing.T
	helm    string
	version string
	env     []string
}

func newHome(t *testing.T, version string) *home {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds helm; run without -short")
	}
	build := toolbin.Helm4
	if version == "3" {
		build = func() (string, error) { return toolbin.Tool(toolbin.Helm) }
	}
	helm, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return &home{t, helm, version, []string{"HELM_CACHE_HOME=" + t.TempDir(), "HELM_CONFIG_HOME=" + t.TempDir(), "HELM_DATA_HOME=" + t.TempDir(), "KUBECONFIG=/nowhere"}}
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

// install installs a plugin that nobody has signed, which Helm 4 has to be reported.
func (h *home) install(source string) {
	h.t.Helper()
	args := []string{"plugin", "install", source}
	if h.version == "4" {
		args = append(args, "--verify=false")
	}
	h.run(args...)
}

func TestAsAHelmPluginFromASourceFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "kubeshark-pfring")
	copySource(t, root(t), folder)
	eachHelm(t, func(_ *testing.T, h *home) {
		h.install(folder)
		h.worksAsPlugin("pfring ")
		h.run("plugin", "uninstall", "pfring")
	})
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

// signed is a release whose chart and plugins bear the signature of a key made for
// the test, and the keyring of somebody who has imported the public key that comes with it.
func signed(t *testing.T) (dir, keyring string) {
	t.Helper()
	entity, err := openpgp.NewEntity("pfring", "test", "test@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var private bytes.Buffer
	w, err := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{entity.SerializePrivate(w, nil), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, keyring = t.TempDir(), filepath.Join(t.TempDir(), "ring.gpg")
	key := filepath.Join(filepath.Dir(keyring), "key.asc")
	if err := os.WriteFile(key, private.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(released(t))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/*.t*gz")
	if err != nil || len(files) < 4 {
		t.Fatalf("chart, two plugins and an archive are expected, there are %q: %v", files, err)
	}
	public := filepath.Join(dir, "kubeshark-pfring.asc")
	run(t, root(t), []string{"SOURCE_DATE_EPOCH=1700000000"}, "go", append([]string{"run", "./hack/prov", "--key", key, "--public", public}, files...)...)
	imported(t, public, keyring)
	return dir, keyring
}

// imported does what gpg --import and gpg --export do.
func imported(t *testing.T, public, keyring string) {
	t.Helper()
	text, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil || len(ring) != 1 || ring[0].PrivateKey != nil {
		t.Fatalf("the key that is published: %v %+v", err, ring)
	}
	var out bytes.Buffer
	if err := ring[0].Serialize(&out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyring, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A release's archive is a plugin for Helm 3 and 4, and Helm 4 verifies it unless it is told not to.
func TestAsAHelmPluginFromARelease(t *testing.T) {
	dir, keyring := signed(t)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	name := "/pfring_" + version + "_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	eachHelm(t, func(_ *testing.T, h *home) {
		args := []string{"plugin", "install", server.URL + name}
		if h.version == "4" {
			args = append(args, "--keyring", keyring)
		}
		h.run(args...)
		h.worksAsPlugin(version)
		h.run("plugin", "uninstall", "pfring")
	})
}

// The plugins of Helm 4's own types run the pfring of the PATH.
func TestThePluginsForHelm4(t *testing.T) {
	dir, keyring := signed(t)
	h := newHome(t, "4")
	path := t.TempDir()
	if _, err := toolbin.Pfring(path); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "PATH="+path+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range []string{"pfring", "pfring-inject"} {
		h.run("plugin", "install", filepath.Join(dir, name+"-"+strings.TrimPrefix(version, "v")+".tgz"), "--keyring", keyring)
	}
	h.worksAsPlugin("pfring ")
	chart := t.TempDir()
	worker, err := os.ReadFile(filepath.Join(root(t), "internal/inject/testdata/53.3.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// Helm 4 gives a post-renderer hooks too.
	hook := []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: before, annotations: {helm.sh/hook: pre-install}}\nspec: {containers: [{name: a, image: b}]}\n")
	for file, text := range map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: kubeshark\nversion: 53.3.0\n"), "templates/all.yaml": worker, "templates/hook.yaml": hook} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(chart, file)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(chart, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := h.run("template", "kubeshark", chart, "--post-renderer", "pfring-inject", "--post-renderer-args=--mode=kmm")
	if strings.Count(out, "name: pfring-wait") != 1 || strings.Contains(out, "pfring-state") || !strings.Contains(out, "helm.sh/hook: pre-install") {
		t.Errorf("%s", out)
	}
}

func TestHelmVerifiesTheChart(t *testing.T) {
	dir, keyring := signed(t)
	chart := filepath.Join(dir, "kubeshark-pfring-"+strings.TrimPrefix(version, "v")+".tgz")
	eachHelm(t, func(t *testing.T, h *home) {
		h.run("verify", chart, "--keyring", keyring)
		data, err := os.ReadFile(chart)
		if err != nil {
			t.Fatal(err)
		}
		other := filepath.Join(t.TempDir(), filepath.Base(chart))
		prov, err := os.ReadFile(chart + ".prov")
		if err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string][]byte{other: append(data, 0), other + ".prov": prov} {
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out := h.fails("verify", other, "--keyring", keyring); !strings.Contains(out, "sha256") {
			t.Errorf("%s", out)
		}
	})
}

func TestTheVersionsOfChartAndPluginAreOne(t *testing.T) {
	var plugin, chart struct{ Version, AppVersion string }
	var cli, inject struct{ Version, AppVersion string }
	for name, into := range map[string]any{
		"plugin.yaml": &plugin, "charts/kubeshark-pfring/Chart.yaml": &chart, "hack/helm4/pfring/plugin.yaml": &cli, "hack/helm4/pfring-inject/plugin.yaml": &inject,
	} {
		data, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	if plugin.Version != chart.Version || chart.AppVersion != chart.Version || cli.Version != chart.Version || inject.Version != chart.Version {
		t.Errorf("plugin.yaml %s, for Helm 4 %s and %s, Chart.yaml %s and appVersion %s", plugin.Version, cli.Version, inject.Version, chart.Version, chart.AppVersion)
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
	// The Makefile adds the name of each program.
	want := "IMAGE=" + values.Tap.Docker.Registry + "\n"
	if !strings.Contains(string(workflow), want) {
		t.Errorf("release.yml has no %s", want)
	}
}

func TestTheChartFromARegistryRendersAsFromTheFolder(t *testing.T) {
	eachHelm(t, func(t *testing.T, h *home) {
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
		pulled := t.TempDir()
		h.run("pull", repository+"/kubeshark-pfring", "--version", "0.1.0", "--plain-http", "-d", pulled)
		h.run("lint", "--strict", "charts/kubeshark-pfring")
		if out := h.run("show", "readme", filepath.Join(pulled, "kubeshark-pfring-0.1.0.tgz")); !strings.Contains(out, "# kubeshark-pfring") {
			t.Errorf("no readme in the package: %s", out)
		}
	})
}
