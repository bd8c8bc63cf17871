package charts_test

import (
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

const kmmMode = "tap: {kernelModule: {mode: kmm}}"

func daemonSet(t *testing.T, values string) object {
	t.Helper()
	ds := find(t, parse(t, render(t, values)), "DaemonSet")
	if ds == nil {
		t.Fatal("there is no DaemonSet")
	}
	return ds
}

// In auto one container has one capability; in kmm none has any, and nothing of
// the host is mounted.
func TestNoModeHasAPrivilegeThatItDoesNotNeed(t *testing.T) {
	const add = ".securityContext.capabilities.add"
	auto, kmm := daemonSet(t, ""), daemonSet(t, kmmMode)
	const load, run = "spec.template.spec.initContainers.0", "spec.template.spec.containers.0"
	if caps, ok := at(auto, load+add).([]any); !ok || len(caps) != 1 || caps[0] != "SYS_MODULE" {
		t.Errorf("auto, load: %v", caps)
	}
	for name, got := range map[string]any{"auto, run": at(auto, run+add), "kmm, wait": at(kmm, load+add), "kmm, run": at(kmm, run+add)} {
		if got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, ds := range []object{auto, kmm} {
		for _, c := range []string{load, run} {
			if at(ds, c+".securityContext.readOnlyRootFilesystem") != true || at(ds, c+".securityContext.capabilities.drop.0") != "ALL" ||
				at(ds, c+".securityContext.allowPrivilegeEscalation") != false {
				t.Errorf("%v", at(ds, c+".securityContext"))
			}
		}
		if at(ds, "spec.template.spec.automountServiceAccountToken") != false {
			t.Error("a service account token is mounted")
		}
	}
	if text := render(t, kmmMode); strings.Contains(text, "hostPath") || at(kmm, "spec.template.spec.securityContext.runAsNonRoot") != true {
		t.Error("kmm touches the host, or runs as root")
	}
}

// A text of the user never becomes YAML of the manifest: render parses strictly.
func TestHostileTextsStayTexts(t *testing.T) {
	const hostile = `a\": b\n- c: {{ .Release.Name }} ${X} 'q' # no`
	values := `tap:
  annotations: {note: "` + hostile + `"}
  kernelModule:
    source: {url: "https://h.example/` + "%22%0A" + `", region: "eu-1", verify: none}
    agent: {podAnnotations: {note: "` + hostile + `"}}
`
	got := at(daemonSet(t, values), "spec.template.metadata.annotations")
	want := "a\": b\n- c: {{ .Release.Name }} ${X} 'q' # no"
	if annotations, ok := got.(map[string]any); !ok || annotations["note"] != want {
		t.Errorf("got %q", got)
	}
}

func TestNotesNameTheNextCommandAndWhatWillNotWork(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		says   []string
	}{
		"supplied":         {"", []string{"pfring status --namespace", "pfring-pfring-controller builds modules for the kernels", "privileged"}},
		"unsigned source":  {"tap: {kernelModule: {source: {url: \"https://m.example\"}}}", []string{"No public key is set"}},
		"kmm":              {kmmMode, []string{"KMM's worker pods", "helm test"}},
		"off":              {"tap: {kernelModule: {enabled: false}}", []string{"Nothing is installed"}},
		"indefinitely":     {"tap: {kernelModule: {mode: kmm, waitTimeout: 0}}", []string{"indefinitely"}},
		"historic image":   {"tap: {kernelModule: {image: \"kubeshark/pf-ring-module:all\"}}", []string{"Write tap.kernelModule.source.url: oci://docker.io/kubeshark/pf-ring-module:all instead"}},
		"image and source": {"tap: {kernelModule: {image: \"a/b:all\", source: {url: \"https://m.example\"}}}", []string{"ignored since tap.kernelModule.source.url is set"}},
		"supply beside an unsigned source": {"tap: {kernelModule: {supply: {enabled: true}, source: {url: \"https://m.example\"}}}",
			[]string{"builds modules that the source lacks", "no module of tap.kernelModule.source.url can pass"}},
		"a bucket as store":     {"tap: {kernelModule: {supply: {store: {type: url, url: \"s3://a/b\"}}}}", []string{"from s3://a/b"}},
		"an image, no internet": {"internetConnectivity: false\ntap: {kernelModule: {image: \"a/b:all\"}}", []string{"the source is on the internet"}},
	} {
		files, err := renderFiles(t, defaultRelease, c.values)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.says {
			if !strings.Contains(notes(files), s) {
				t.Errorf("%s: no %q in\n%s", name, s, notes(files))
			}
		}
	}
}

// What the defaults or the values leave out is said, and no more than that.
func TestNotesSayWhereTheAgentDoesNotRun(t *testing.T) {
	const (
		possible = "nodes other than Linux on amd64 and arm64, AWS Fargate, and virtual nodes"
		terms    = "nodes that tap.nodeSelectorTerms does not select"
		taints   = "nodes with a taint that tap.tolerations.workers does not tolerate"
		byDeflt  = taints + " (by default it tolerates NoExecute)"
	)
	for values, want := range map[string][]string{
		"{}": {possible, byDeflt},
		"tap: {tolerations: {workers: [{operator: Exists}]}}":                     {possible},
		"tap: {tolerations: {workers: [{operator: Exists, key: a}]}}":             {possible, taints},
		"tap: {tolerations: {workers: [{operator: Exists, effect: NoSchedule}]}}": {possible, taints},
		"tap: {tolerations: {workers: []}}":                                       {possible, taints},
		"tap: {ignoreTainted: false}":                                             {possible},
		"tap: {ignoreTainted: true}":                                              {possible, byDeflt},
		"tap: {nodeSelectorTerms: {workers: [{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]}]}}": {possible, terms, byDeflt},
		"tap: {kernelModule: {agent: {affinity: {}, tolerations: [{operator: Exists}], nodeSelector: {a: b}}}}": {
			"nodes other than Linux", "nodes that tap.kernelModule.agent.nodeSelector does not select"},
		"tap: {kernelModule: {agent: {affinity: {podAffinity: {}}, tolerations: []}}}": {
			"nodes other than Linux", "nodes that tap.kernelModule.agent.affinity does not select", "nodes with a taint that tap.kernelModule.agent.tolerations does not tolerate"},
	} {
		for _, mode := range []string{"auto", "kmm"} {
			text := values
			if mode == "kmm" {
				text = setMode(t, values, mode)
			}
			files, err := renderFiles(t, defaultRelease, text)
			if err != nil {
				t.Fatal(err)
			}
			_, list, _ := strings.Cut(notes(files), "The agent does not run on\n")
			list, next, _ := strings.Cut(list, "\n\n")
			if got := strings.Split(strings.TrimPrefix(list, "  - "), "\n  - "); !slices.Equal(got, want) {
				t.Errorf("%s, mode %s: %q, want %q", values, mode, got, want)
			}
			if !strings.Contains(next, "which nodes are excluded and why:\n  pfring status --namespace kubeshark\n") {
				t.Errorf("%s: no next command in\n%s", values, next)
			}
		}
	}
}

// setMode sets tap.kernelModule.mode, with a selector for KMM in kmm.
func setMode(t *testing.T, values, mode string) string {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	more := map[string]any{"tap": map[string]any{"kernelModule": map[string]any{"mode": mode, "kmm": map[string]any{"selector": map[string]any{"a": "b"}}}}}
	out, err := yaml.Marshal(chartutil.MergeTables(more, v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
