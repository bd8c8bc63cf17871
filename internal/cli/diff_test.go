package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// helmSecret is the Secret in which Helm keeps a release.
func helmSecret(t *testing.T, name, values, manifest string) map[string]any {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(values), &config); err != nil {
		t.Fatal(err)
	}
	return recordSecret(t, name, map[string]any{"name": name, "config": config, "manifest": manifest})
}

// recordSecret is the Secret of a release as Helm keeps it.
func recordSecret(t *testing.T, name string, release map[string]any) map[string]any {
	t.Helper()
	record, err := json.Marshal(release)
	if err != nil {
		t.Fatal(err)
	}
	// Helm's own base64, and that of the Secret around it.
	data := base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(record)))
	return map[string]any{
		"metadata": map[string]any{"name": "sh.helm.release.v1." + name + ".v1", "labels": map[string]any{"owner": "helm", "name": name, "status": "deployed", "version": "1"}},
		"data":     map[string]any{"release": data},
	}
}

// together is what the program prints, on both streams, and its exit code.
func together(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, errOut, code := execute(t, "", args...)
	return out + errOut, code
}

func TestDiffTellsWhatAnUpgradeChanges(t *testing.T) {
	t.Setenv("PFRING_CONFIG", "")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const installed = "tap:\n  kernelModule:\n    mode: kmm\n    kernelMappings:\n      - {regexp: '^6\\.1\\.', containerImage: 'r.example/a:${KERNEL_FULL_VERSION}'}\n"
	before := write("before.yaml", installed)
	after := write("after.yaml", strings.ReplaceAll(installed, `^6\.1\.`, `^6\.12\.`)+"    onUnavailable: fail\n")
	manifest, code := together(t, "render", before, "-n", "kubeshark", "--release-name", "pfring")
	if code != 0 {
		t.Fatal(manifest)
	}
	node := func(name, kernel string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": name}, "status": map[string]any{"nodeInfo": map[string]any{
			"kernelVersion": kernel, "architecture": "amd64", "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
		}}}
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var items []any
		kind := "SecretList"
		switch r.URL.Path {
		case "/api/v1/namespaces/kubeshark/secrets":
			items = append(items, helmSecret(t, "pfring", installed, manifest))
		case "/api/v1/nodes":
			kind = "NodeList"
			items = append(items, node("old", "6.1.0-18-amd64"), node("new", "6.12.9-amd64"))
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": kind, "apiVersion": "v1", "metadata": map[string]any{}, "items": items})
	}))
	defer api.Close()
	where := []string{"--server", api.URL, "-n", "kubeshark", "--images=false"}
	diff := func(args ...string) (string, int) {
		return together(t, append(append([]string{"diff", "pfring"}, where...), args...)...)
	}

	if out, code := diff("-f", before, "--nodes=false"); code != 0 || !strings.Contains(out, "The upgrade changes nothing") {
		t.Errorf("the installed values: code %d\n%s", code, out)
	}
	if out, code := diff("--nodes=false"); code != 0 || !strings.Contains(out, "The upgrade changes nothing") {
		t.Errorf("no values are those of the release: code %d\n%s", code, out)
	}
	out, code := diff("-f", after, "-o", "json")
	for _, want := range []string{`"kind": "Module"`, `"path": "spec.moduleLoader.container.kernelMappings[0].regexp"`, `"before": "^6\\.1\\."`, `"node": "old"`, `"node": "new"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in (code %d)\n%s", want, code, out)
		}
	}
	if out, code := diff("--reuse-values", "--set", "tap.kernelModule.onUnavailable=fail", "--nodes=false"); code != 0 || !strings.Contains(out, "~ DaemonSet") || strings.Contains(out, "Module") {
		t.Errorf("reused values: code %d\n%s", code, out)
	}
	if out, code := diff("-f", write("bad.yaml", "tap: {kernelModule: {mode: x}}")); code != 1 || !strings.Contains(out, "not-one-of") {
		t.Errorf("invalid values: code %d\n%s", code, out)
	}
	if out, code := together(t, "diff", "other", "--server", api.URL, "-n", "nowhere"); code != 2 {
		t.Errorf("another release: code %d\n%s", code, out)
	}
}

// In a release of a chart that has this one as a dependency under another name, the
// other charts' objects do not count, and the parent chart's own values do.
func TestDiffOfADependency(t *testing.T) {
	t.Setenv("PFRING_CONFIG", "")
	manifest, code := together(t, "render", "--set", "tap.kernelModule.agent.logLevel=debug", "-n", "kubeshark", "--release-name", "all")
	if code != 0 {
		t.Fatal(manifest)
	}
	manifest = strings.NewReplacer("# Source: kubeshark-pfring/", "# Source: parent/charts/capture/", "kubeshark-pfring-0", "capture-0").Replace(manifest) +
		"---\n# Source: parent/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-the-parent}\n"
	tree := func(level string) map[string]any {
		return map[string]any{"capture": map[string]any{"tap": map[string]any{"kernelModule": map[string]any{"agent": map[string]any{"logLevel": level}}}}}
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		release := map[string]any{"name": "all", "config": map[string]any{}, "manifest": manifest, "chart": map[string]any{"metadata": map[string]any{"name": "parent"}, "values": tree("debug")}}
		if r.URL.Path != "/api/v1/namespaces/kubeshark/secrets" {
			release["manifest"] = "---\n# Source: parent/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-the-parent}\n"
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "SecretList", "apiVersion": "v1", "metadata": map[string]any{}, "items": []any{recordSecret(t, "all", release)}})
	}))
	defer api.Close()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"as it is":           {nil, 0, "The upgrade changes nothing"},
		"a value on top":     {[]string{"--reuse-values", "--set", "capture.tap.kernelModule.agent.logLevel=warn"}, 0, "value: debug → warn"},
		"without the rest":   {[]string{"--set", "other.key=1"}, 0, "Warning: the values of chart parent itself are not known here."},
		"an invalid value":   {[]string{"--reuse-values", "--set", "capture.tap.kernelModule.mode=kmn"}, 1, "capture.tap.kernelModule.mode"},
		"it is switched off": {[]string{"-n", "off"}, 2, "release all is of chart parent, of which no object belongs to kubeshark-pfring"},
	} {
		out, code := together(t, append([]string{"diff", "all", "--server", api.URL, "-n", "kubeshark", "--nodes=false"}, test.args...)...)
		if code != test.code || !strings.Contains(out, test.want) || strings.Contains(out, "of-the-parent") || strings.Contains(out, "helm.sh/chart") {
			t.Errorf("%s: code %d, want %d with %q\n%s", name, code, test.code, test.want, out)
		}
	}
}
