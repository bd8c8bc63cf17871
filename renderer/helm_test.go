package renderer_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/renderer"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// helm runs the real program with an empty home.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds the program helm from tests/tools; run without -short")
	}
	program, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_CACHE_HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// The same chart and values give the same objects, in the same order, as
// `helm template` gives.
func TestRenderIsHelmTemplate(t *testing.T) {
	rendered := 0
	for _, file := range valuesFiles(t) {
		t.Run(caseName(file), func(t *testing.T) {
			out, errOut, err := helm(t, "template", "pfring", chartDir, "-f", file, "--namespace", "kubeshark",
				"--kube-version", renderer.DefaultKubeVersion, "--api-versions", "monitoring.coreos.com/v1", "--skip-tests")
			if err != nil {
				t.Fatalf("helm template: %v\n%s", err, errOut)
			}
			r := render(t, embedded(t), renderer.Options{
				Values: readValues(t, file), ReleaseName: "pfring", Namespace: "kubeshark", APIVersions: []string{"monitoring.coreos.com/v1"},
			})
			ours, theirs := objects(t, stream(t, r)), objects(t, out)
			if len(ours) != len(theirs) {
				t.Fatalf("%d objects, Helm gives %d", len(ours), len(theirs))
			}
			for i := range ours {
				if !reflect.DeepEqual(ours[i], theirs[i]) {
					t.Errorf("object %d: pfring gives\n%v\nHelm\n%v", i, ours[i], theirs[i])
				}
			}
			rendered += len(ours)
		})
	}
	if !testing.Short() && rendered < 2*len(valuesFiles(t)) {
		t.Errorf("only %d objects were compared", rendered)
	}
}

// A chart with a subchart, a condition, CRDs and hooks takes the same way too.
func TestRenderIsHelmTemplateForAChartWithDependencies(t *testing.T) {
	files := map[string]string{
		"Chart.yaml":                  "apiVersion: v2\nname: small\nversion: 1.0.0\ndependencies:\n  - {name: sub, version: 1.0.0, condition: sub.enabled, import-values: [{child: out, parent: in}]}\n",
		"values.yaml":                 "sub: {enabled: true, size: 2}\nglobal: {who: all}\n",
		"templates/z.yaml":            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\ndata: {size: {{ (.Values.in | default dict).size | quote }}, kube: {{ .Capabilities.KubeVersion.Version }}}\n",
		"templates/a.yaml":            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
		"templates/hook.yaml":         "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n",
		"templates/empty.yaml":        "{{ if false }}x{{ end }}\n# nothing\n",
		"crds/crd.yaml":               "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: crd}\n",
		"charts/sub/Chart.yaml":       "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml":      "out: {size: 7}\n",
		"charts/sub/templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {who: {{ .Values.global.who }}, size: {{ .Values.size | quote }}}\n",
	}
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, enabled := range []string{"true", "false"} {
		out, errOut, err := helm(t, "template", "r", dir, "--include-crds", "--skip-tests", "--set", "sub.enabled="+enabled, "--kube-version", renderer.DefaultKubeVersion)
		if err != nil {
			t.Fatalf("helm template: %v\n%s", err, errOut)
		}
		c, err := renderer.LoadPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := render(t, c, renderer.Options{ReleaseName: "r", IncludeCRDs: true, Values: parseValues(t, "sub: {enabled: "+enabled+"}")})
		if ours, theirs := objects(t, stream(t, r)), objects(t, out); !reflect.DeepEqual(ours, theirs) {
			t.Errorf("sub.enabled=%s: pfring gives\n%v\nHelm\n%v", enabled, ours, theirs)
		}
		if r.HooksLeftOut != 1 {
			t.Errorf("%d hooks left out", r.HooksLeftOut)
		}
	}
}

func TestChartIsLintClean(t *testing.T) {
	for _, mode := range []string{"auto", "kmm"} {
		out, errOut, err := helm(t, "lint", "--strict", chartDir, "--set", "tap.kernelModule.mode="+mode)
		if err != nil {
			t.Errorf("helm lint --strict, mode %s: %v\n%s%s", mode, err, out, errOut)
		}
	}
}

// A packaged chart renders as the folder does.
func TestPackagedChartRendersAlike(t *testing.T) {
	dir := t.TempDir()
	if out, errOut, err := helm(t, "package", chartDir, "--destination", dir); err != nil {
		t.Fatalf("helm package: %v\n%s%s", err, out, errOut)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("packages: %v, %v", packages, err)
	}
	want := stream(t, render(t, embedded(t), renderer.Options{}))
	for _, path := range []string{packages[0], chartDir} {
		c, err := renderer.LoadPath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := stream(t, render(t, c, renderer.Options{})); got != want {
			t.Errorf("%s renders to something else than the built-in chart", path)
		}
	}
}
