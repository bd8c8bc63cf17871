package conform_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
	"github.com/kubeshark/kubeshark-pfring/tests/conform"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// module is a Go module that API descriptions come from, with its checksum.
type module struct{ path, version, sum string }

var (
	// The last patch of the oldest minor that Chart.yaml's kubeVersion admits.
	kubernetes = module{"k8s.io/kubernetes", "v1.25.16", "h1:pdtEdre7aInDvXas+mWzpTiK/7cpcaGRyYB+Bedr2+Q="}
	prometheus = module{"github.com/prometheus-operator/prometheus-operator", "v0.80.1", "h1:jeqy9C8ku5coMThZh/cVrB5FwJHlV98jvnSeVnQKCQw="}
)

// download returns the module's folder in Go's module cache.
func (m module) download(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil || err != nil {
		t.Fatalf("downloading %s: %v, %v\n%s", m.path, err, jsonErr, out)
	}
	if got.Sum != m.sum {
		t.Fatalf("%s %s has checksum %s, want %s", m.path, m.version, got.Sum, m.sum)
	}
	return got.Dir
}

func needsTools(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds kubeconform and downloads 18 MB of Go modules; run without -short")
	}
}

// kmmCRD is KMM's definition of Module, which no Go module carries: that of the
// checkout that toolbin.KMMEnv names, "" without one.
func kmmCRD() string {
	if dir := os.Getenv(toolbin.KMMEnv); dir != "" {
		return filepath.Join(dir, toolbin.KMMModuleCRD)
	}
	return ""
}

func schemas(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	swagger, err := os.ReadFile(filepath.Join(kubernetes.download(t), "api", "openapi-spec", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{
		"apps/v1/DaemonSet", "/v1/ServiceAccount", "/v1/Pod", "/v1/ConfigMap", "/v1/Service", "rbac.authorization.k8s.io/v1/Role",
		"rbac.authorization.k8s.io/v1/RoleBinding", "rbac.authorization.k8s.io/v1/ClusterRole", "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
		"networking.k8s.io/v1/NetworkPolicy", "apps/v1/Deployment", "coordination.k8s.io/v1/Lease", "/v1/PersistentVolumeClaim",
	}
	if err := conform.WriteSwagger(dir, swagger, kinds...); err != nil {
		t.Fatal(err)
	}
	crds := filepath.Join(prometheus.download(t), "example", "prometheus-operator-crd")
	for _, name := range []string{"podmonitors", "servicemonitors", "prometheusrules"} {
		if err := conform.WriteCRD(dir, filepath.Join(crds, "monitoring.coreos.com_"+name+".yaml")); err != nil {
			t.Fatal(err)
		}
	}
	if path := kmmCRD(); path != "" {
		if err := conform.WriteCRD(dir, path); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type report struct {
	Resources []struct{ Kind, Name, Status, Msg string }
	Summary   struct{ Valid, Invalid, Errors, Skipped int }
}

// kubeconform checks a stream of manifests against the schemas in dir.
func kubeconform(t *testing.T, dir, manifests string, skip ...string) report {
	t.Helper()
	program, err := toolbin.Tool(toolbin.Kubeconform)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-output", "json", "-summary", "-verbose", "-strict", "-skip", strings.Join(skip, ","),
		"-schema-location", dir+"/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json", "-")
	cmd.Stdin = strings.NewReader(manifests)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var r report
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		t.Fatalf("kubeconform: %v, %v\n%s%s", err, jsonErr, out, stderr.String())
	}
	return r
}

func chart(t *testing.T) *renderer.Chart {
	t.Helper()
	c, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// renderAll renders a values file, with everything that depends on other APIs.
func renderAll(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	return renderValues(t, values)
}

func renderValues(t *testing.T, values map[string]any) string {
	t.Helper()
	r, err := renderer.Render(chart(t), renderer.Options{
		Values: values, Namespace: "kubeshark", KubeVersion: kubernetes.version, APIVersions: []string{"monitoring.coreos.com/v1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteStream(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOldestSupportedKubernetesIsTheOneThatIsChecked(t *testing.T) {
	m := regexp.MustCompile(`^>=(\d+\.\d+)\.0-0$`).FindStringSubmatch(chart(t).KubeVersion)
	if m == nil || !strings.HasPrefix(kubernetes.version, "v"+m[1]+".") {
		t.Errorf("Chart.yaml admits %s, the schemas are of %s", chart(t).KubeVersion, kubernetes.version)
	}
}

// newer are cases whose values ask for more than the oldest Kubernetes has, and
// what the schema says of it.
var newer = map[string]string{
	"auto-source-file-image": "additional properties 'image' not allowed", // image volumes, since 1.31
}

// Every manifest of every case of the chart's tests is one that the oldest
// supported Kubernetes knows, field by field.
func TestManifestsConformToTheOldestSupportedKubernetes(t *testing.T) {
	needsTools(t)
	dir := schemas(t)
	var skip []string
	if kmmCRD() == "" {
		skip = append(skip, "Module")
		t.Log("Modules are not checked: name a checkout of KMM in " + toolbin.KMMEnv)
	}
	files, err := filepath.Glob("../../charts/testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	kinds := map[string]int{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".values.yaml")
		t.Run(name, func(t *testing.T) {
			manifests := renderAll(t, file)
			if strings.TrimSpace(manifests) == "" {
				return
			}
			asExpected := 0
			for _, res := range kubeconform(t, dir, manifests, skip...).Resources {
				kinds[res.Kind]++
				switch {
				case newer[name] != "" && strings.Contains(res.Msg, newer[name]):
					asExpected++
				case res.Status != "statusValid" && res.Status != "statusSkipped":
					t.Errorf("%s %s: %s %s", res.Kind, res.Name, res.Status, res.Msg)
				}
			}
			if newer[name] != "" && asExpected != 1 {
				t.Errorf("the oldest Kubernetes has all of it: take it out of the list of exceptions")
			}
		})
	}
	for _, kind := range []string{"DaemonSet", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "PodMonitor", "ServiceMonitor", "Deployment", "Lease", "Module"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among the manifests: %v", kind, kinds)
		}
	}
}

// The schemas refuse what the API server would.
func TestSchemasRefuse(t *testing.T) {
	needsTools(t)
	dir := schemas(t)
	head := "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec: {selector: {}, template: {spec: {containers: [{name: a, image: b"
	for name, c := range map[string]struct {
		manifest string
		valid    bool
	}{
		"a good one":       {head + ", ports: [{containerPort: 1}], livenessProbe: {httpGet: {port: x}}, resources: {limits: {cpu: 1}}}]}}}", true},
		"an unknown field": {head + ", imagePullPolcy: Always}]}}}", false},
		"a wrong type":     {head + ", ports: [{containerPort: \"1\"}]}]}}}", false},
		"a missing field":  {"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec: {selector: {}}", false},
		"a newer field":    {head + ", resizePolicy: []}]}}}", false},
		"in a CRD":         {"apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: a}\nspec: {selector: {}, podMetricsEndpoints: [{prot: x}]}", false},
		"a good CR":        {"apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: a}\nspec: {selector: {}, podMetricsEndpoints: [{port: x}]}", true},
		"a kind unknown":   {"apiVersion: v9\nkind: Nothing\nmetadata: {name: a}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if r := kubeconform(t, dir, c.manifest); (r.Summary.Valid == 1) != c.valid || len(r.Resources) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// features are values that put fields into manifests which no other value does.
// Of those that name the same group one is taken at a time.
var features = []struct{ group, values string }{
	{"mode", "mode: auto"}, {"mode", "{mode: kmm, kmm: {selector: {a: b}, version: \"1\", imagePullPolicy: Always, imageRebuildTriggerGeneration: 2}}"},
	{"source", "source: {url: \"https://m.example\", verify: none, proxy: {https: \"http://p:1\", secret: p}, caBundle: {configMap: c}}"},
	{"source", "source: {url: \"s3://b/p\", verify: none, credentialsSecret: s}"},
	{"source", "source: {url: \"oci://r/p\", publicKeySecret: k}"},
	{"source", "source: {url: \"file:///m\", verify: none, volume: {persistentVolumeClaim: {claimName: m}}}"},
	{"store", "supply: {store: {type: persistentVolumeClaim, persistentVolumeClaim: {storageClassName: x}}}"},
	{"store", "supply: {store: {type: url, url: \"s3://b/p\", credentialsSecret: s}}"},
	{"monitors", "metrics: {podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}, rings: true}"},
	{"monitors", "metrics: {serviceMonitor: {enabled: true}, service: {enabled: true}}"},
	{"policy", "networkPolicy: {enabled: true, from: [{namespaceSelector: {}}]}"},
	{"fail", "onUnavailable: fail"}, {"unload", "unloadOnDestroy: true"}, {"scc", "openshift: {scc: {create: true}}"},
	{"account", "serviceAccount: {create: false, name: own}"},
	{"agent", "agent: {hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet, priorityClassName: system-node-critical, runtimeClassName: r, affinity: {}, tolerations: []}"},
	{"agent", "agent: {extraEnv: [{name: A, value: b}], extraVolumes: [{name: v, emptyDir: {}}], extraVolumeMounts: [{name: v, mountPath: /v}], podAnnotations: {a: b}, revisionHistoryLimit: 3}"},
}

// Each two features together, as settings of one can move fields of another: the oldest Kubernetes knows every field.
func TestEveryTwoFeaturesConformToTheOldestSupportedKubernetes(t *testing.T) {
	needsTools(t)
	dir := schemas(t)
	var stream strings.Builder
	pairs := 0
	for i, a := range features {
		for _, b := range features[i:] {
			if a.group == b.group && a != b {
				continue
			}
			km := map[string]any{}
			for _, f := range []string{a.values, b.values} {
				values := map[string]any{}
				if err := yaml.Unmarshal([]byte(f), &values); err != nil {
					t.Fatal(err)
				}
				km = chartutil.CoalesceTables(km, values)
			}
			if km["mode"] == "kmm" && km["supply"] != nil {
				continue
			}
			// A store is that of builds, which a repository switches off.
			if supply, ok := km["supply"].(map[string]any); ok && km["source"] != nil {
				supply["enabled"] = true
			}
			stream.WriteString(renderValues(t, map[string]any{"tap": map[string]any{"kernelModule": km}}))
			pairs++
		}
	}
	skip := []string{"SecurityContextConstraints"}
	if kmmCRD() == "" {
		skip = append(skip, "Module")
	}
	checked := kubeconform(t, dir, stream.String(), skip...)
	for _, res := range checked.Resources {
		if res.Status != "statusValid" && res.Status != "statusSkipped" {
			t.Errorf("%s %s: %s %s", res.Kind, res.Name, res.Status, res.Msg)
		}
	}
	if pairs < 100 || checked.Summary.Valid < 3*pairs {
		t.Errorf("%d pairs gave %+v", pairs, checked.Summary)
	}
}
