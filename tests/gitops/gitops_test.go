// Package gitops_test runs the examples for GitOps tools with the real parts
// that they run: the commands of Argo CD's plugins, Kustomize, and helm.
package gitops_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

const (
	examples = "../../examples/gitops/"
	fixture  = "../../internal/inject/testdata/53.3.yaml"
)

type object = map[string]any

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parse reads a stream of objects, sorted by kind and name.
func parse(t *testing.T, text []byte) []object {
	t.Helper()
	var out []object
	for doc := range strings.SplitSeq("\n"+string(text), "\n---") {
		var obj object
		if err := yaml.UnmarshalStrict([]byte(doc), &obj); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if len(obj) > 0 {
			out = append(out, obj)
		}
	}
	slices.SortFunc(out, func(a, b object) int { return strings.Compare(key(a), key(b)) })
	return out
}

func key(o object) string {
	return o["kind"].(string) + " " + o["metadata"].(object)["name"].(string)
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// programs is a PATH with pfring and helm.
func programs(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds pfring and helm; run without -short")
	}
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pfring-gitops")
	if err != nil {
		return "", err
	}
	if _, err := toolbin.Pfring(dir); err != nil {
		return dir, err
	}
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		return dir, err
	}
	return dir, os.Symlink(helm, filepath.Join(dir, "helm"))
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if !testing.Short() {
		if dir, _ := built(); dir != "" {
			_ = os.RemoveAll(dir) // a temporary folder; nothing hangs on it
		}
	}
	os.Exit(code)
}

func run(t *testing.T, dir, path string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "pfring" || args[0] == "helm" {
		cmd.Path, cmd.Err = filepath.Join(path, args[0]), nil
	}
	cmd.Dir = dir
	home := t.TempDir()
	cmd.Env = append(os.Environ(), append(env, "PATH="+path+":"+os.Getenv("PATH"), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, stderr.String())
	}
	return out
}

// command is what Argo CD runs.
type command struct{ Command, Args []string }

// plugin is what Argo CD runs for a plugin of the example: before it, if anything, and to make the manifests.
func plugin(t *testing.T, file string) (before, generate []string) {
	t.Helper()
	var config struct{ Data map[string]string }
	first, _, _ := strings.Cut(string(read(t, examples+"argocd-plugin.yaml")), "\n---\n")
	if err := yaml.Unmarshal([]byte(first), &config); err != nil {
		t.Fatal(err)
	}
	var p struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             struct{ Init, Generate command }
	}
	if err := yaml.UnmarshalStrict([]byte(config.Data[file]), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Spec.Generate.Command) == 0 {
		t.Fatalf("the example has no plugin %s", file)
	}
	return append(p.Spec.Init.Command, p.Spec.Init.Args...), append(p.Spec.Generate.Command, p.Spec.Generate.Args...)
}

// argo is what Argo CD puts into a plugin's environment.
var argo = []string{"ARGOCD_APP_NAME=pfring", "ARGOCD_APP_NAMESPACE=capture"}

func TestArgoCDsPluginRendersWhatHelmDoes(t *testing.T) {
	path := programs(t)
	for _, mode := range []string{"auto", "kmm"} {
		dir := t.TempDir()
		write(t, dir, map[string][]byte{"values.yaml": read(t, "../../examples/"+mode+".yaml")})
		_, generate := plugin(t, "pfring.yaml")
		got := parse(t, run(t, dir, path, argo, generate...))
		root, err := toolbin.Root()
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, run(t, dir, path, nil, "helm", "template", "pfring", filepath.Join(root, "charts/kubeshark-pfring"), "-n", "capture", "-f", "values.yaml", "--skip-tests"))
		if len(got) < 2 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the plugin gives\n%v\nhelm\n%v", mode, got, want)
		}
	}
}

func TestArgoCDsPluginTakesValuesFiles(t *testing.T) {
	path, dir := programs(t), t.TempDir()
	write(t, dir, map[string][]byte{"a.yaml": read(t, "../../examples/auto.yaml"), "b.yaml": []byte("tap: {labels: {team: net}}\n")})
	_, generate := plugin(t, "pfring.yaml")
	for _, o := range parse(t, run(t, dir, path, append([]string{"ARGOCD_ENV_VALUES=a.yaml b.yaml"}, argo...), generate...)) {
		if o["metadata"].(object)["labels"].(object)["team"] != "net" {
			t.Errorf("no label of the second file on %s", key(o))
		}
	}
}

// The folder is a chart that has Kubeshark's as a dependency, and values files of its own.
func TestArgoCDsPluginMakesKubesharksWorkersWait(t *testing.T) {
	path, dir := programs(t), t.TempDir()
	write(t, dir, map[string][]byte{
		"kubeshark/Chart.yaml":         []byte("apiVersion: v2\nname: kubeshark\nversion: 53.3.0\n"),
		"kubeshark/templates/all.yaml": read(t, fixture),
		"kubeshark/templates/own.yaml": []byte("kind: ConfigMap\napiVersion: v1\nmetadata: {name: own}\ndata: {cluster: {{ .Values.cluster }}}\n"),
		"app/Chart.yaml":               []byte("apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {name: kubeshark, version: 53.3.0, repository: \"file://../kubeshark\"}\n"),
		"app/prod.yaml":                []byte("kubeshark: {cluster: prod}\n"),
	})
	before, generate := plugin(t, "pfring-inject.yaml")
	app := filepath.Join(dir, "app")
	run(t, app, path, argo, before...)
	out := run(t, app, path, append([]string{"ARGOCD_ENV_VALUES=prod.yaml"}, argo...), generate...)
	if strings.Count(string(out), "name: pfring-wait") != 1 || !strings.Contains(string(out), "{cluster: prod}") {
		t.Errorf("%s", out)
	}
}

// A sidecar serves one plugin, and finds it by the key of the ConfigMap.
func TestEachPluginOfTheExampleHasASidecar(t *testing.T) {
	var config struct{ Data map[string]string }
	var server struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						VolumeMounts []struct{ Name, MountPath, SubPath string }
					}
					Volumes []struct{ Name string }
				}
			}
		}
	}
	docs := strings.Split(string(read(t, examples+"argocd-plugin.yaml")), "\n---\n")
	for i, into := range []any{&config, &server} {
		if err := yaml.Unmarshal([]byte(docs[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	pod := server.Spec.Template.Spec
	served := map[string]bool{}
	for _, c := range pod.Containers {
		for _, m := range c.VolumeMounts {
			if m.Name == "pfring-plugins" {
				served[m.SubPath] = true
			}
			// Two are the repo server's own.
			own := m.Name == "var-files" || m.Name == "plugins"
			if !own && !slices.ContainsFunc(pod.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
				t.Errorf("there is no volume %s", m.Name)
			}
		}
	}
	for key := range config.Data {
		if !served[key] {
			t.Errorf("no sidecar serves %s", key)
		}
	}
	if len(served) != len(config.Data) {
		t.Errorf("%v are served, %d plugins are there", served, len(config.Data))
	}
}

func kustomize(t *testing.T, dir string, with func(*krusty.Options)) []object {
	t.Helper()
	o := krusty.MakeDefaultOptions()
	if with != nil {
		with(o)
	}
	result, err := krusty.MakeKustomizer(o).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := result.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, out)
}

func TestTheRenderedBaseIsWhatKustomizeBuilds(t *testing.T) {
	path := programs(t)
	for _, mode := range []string{"auto", "kmm"} {
		dir := t.TempDir()
		write(t, dir, map[string][]byte{"values.yaml": read(t, "../../examples/"+mode+".yaml"),
			"overlay/kustomization.yaml": []byte("resources: [../base]\ncommonAnnotations: {team: net}\n")})
		run(t, dir, path, nil, "pfring", "render", "values.yaml", "-n", "capture", "--output-dir", "base", "--kustomize")
		want := parse(t, run(t, dir, path, nil, "pfring", "render", "values.yaml", "-n", "capture"))
		if got := kustomize(t, filepath.Join(dir, "base"), nil); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: kustomize gives\n%v\npfring render\n%v", mode, got, want)
		}
		for _, o := range kustomize(t, filepath.Join(dir, "overlay"), nil) {
			if o["metadata"].(object)["annotations"].(object)["team"] != "net" {
				t.Errorf("%s: no annotation of the overlay on %s", mode, key(o))
			}
		}
	}
}

// The chart is taken from this checkout instead of the registry; the rest of the example is as it stands.
func TestKustomizesHelmChartsRendersTheChart(t *testing.T) {
	path, dir := programs(t), t.TempDir()
	text := string(read(t, examples+"kustomize/kustomization.yaml"))
	local := strings.Replace(text, "    repo: oci://ghcr.io/kubeshark/charts\n", "", 1)
	if local == text {
		t.Fatal("the example names another registry")
	}
	write(t, dir, map[string][]byte{"kustomization.yaml": []byte(local), "values.yaml": read(t, examples+"kustomize/values.yaml")})
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "charts", "kubeshark-pfring"), os.DirFS(filepath.Join(root, "charts", "kubeshark-pfring"))); err != nil {
		t.Fatal(err)
	}
	got := kustomize(t, dir, func(o *krusty.Options) {
		o.PluginConfig = types.EnabledPluginConfig(types.BploUseStaticallyLinked)
		o.PluginConfig.HelmConfig = types.HelmConfig{Enabled: true, Command: filepath.Join(path, "helm")}
	})
	want := parse(t, run(t, dir, path, nil, "pfring", "render", "values.yaml", "-n", "kubeshark"))
	if !reflect.DeepEqual(withoutTests(got), want) {
		t.Errorf("kustomize gives\n%v\npfring render\n%v", got, want)
	}
}

// withoutTests leaves out hooks, which Kustomize takes for ordinary objects.
func withoutTests(objects []object) []object {
	return slices.DeleteFunc(objects, func(o object) bool {
		annotations, _ := o["metadata"].(object)["annotations"].(object)
		return annotations["helm.sh/hook"] != nil
	})
}

func TestFluxsPatchIsWhatInjectAdds(t *testing.T) {
	path, dir := programs(t), t.TempDir()
	var release struct {
		Spec struct {
			PostRenderers []struct {
				Kustomize struct{ Patches []types.Patch }
			}
		}
	}
	first, _, _ := strings.Cut(string(read(t, examples+"flux-kubeshark.yaml")), "\n---\n")
	if err := yaml.Unmarshal([]byte(first), &release); err != nil {
		t.Fatal(err)
	}
	k, err := yaml.Marshal(types.Kustomization{Resources: []string{"all.yaml"}, Patches: release.Spec.PostRenderers[0].Kustomize.Patches})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"kustomization.yaml": k, "all.yaml": read(t, fixture)})
	got := kustomize(t, dir, nil)
	want := parse(t, run(t, dir, path, nil, "sh", "-c", "pfring inject < all.yaml"))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the patch gives\n%v\ninject\n%v", got, want)
	}
}

// A Kustomization of Flux may put values into what it applies; ours stays as it was
// rendered, and what is beside it gets them.
func TestFluxBuildsWhatWasRendered(t *testing.T) {
	path, dir := programs(t), t.TempDir()
	flux, err := toolbin.Flux()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{
		"ks.yaml": []byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x, namespace: flux-system}\n" +
			"spec: {interval: 1h, path: ./p, prune: true, sourceRef: {kind: GitRepository, name: x}, postBuild: {substitute: {cluster: prod}}}\n"),
		"p/kubeshark.yaml": run(t, dir, path, nil, "pfring", "inject", "--filename", filepath.Join(mustRoot(t), "internal/inject/testdata/53.3.yaml")),
	})
	values := map[string][]byte{"kmm.yaml": read(t, "../../examples/kmm.yaml"), "auto.yaml": []byte("tap: {kernelModule: {source: {url: 'https://m.example.com', verify: none}, metrics: {dashboard: {enabled: true}}}}\n")}
	write(t, dir, values)
	const beside = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\ndata: {of: '%s'}\n"
	write(t, dir, map[string][]byte{"p/beside.yaml": fmt.Appendf(nil, beside, "${cluster}")})
	want := append(read(t, filepath.Join(dir, "p/kubeshark.yaml")), fmt.Sprintf("\n---\n"+beside, "prod")...)
	for name := range values {
		rendered := run(t, dir, path, nil, "pfring", "render", name, "-n", "capture", "--release-name", strings.TrimSuffix(name, ".yaml"))
		write(t, dir, map[string][]byte{"p/" + name: rendered})
		want = append(append(want, "\n---\n"...), rendered...)
	}
	cmd := exec.Command(flux, "ks.yaml", "p")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	got := parse(t, out)
	if objects := parse(t, want); !reflect.DeepEqual(got, objects) {
		t.Errorf("flux builds\n%s\nof\n%s", out, want)
	}
}

func mustRoot(t *testing.T) string {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}
