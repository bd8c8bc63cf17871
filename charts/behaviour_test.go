package charts_test

import (
	"strings"
	"testing"
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
		"supplied":        {"", []string{"pfring status --namespace", "pfring-pfring-controller builds modules for the kernels", "privileged"}},
		"unsigned source": {"tap: {kernelModule: {source: {url: \"https://m.example\"}}}", []string{"No public key is set"}},
		"kmm":             {kmmMode, []string{"KMM's worker pods", "helm test"}},
		"off":             {"tap: {kernelModule: {enabled: false}}", []string{"Nothing is installed"}},
		"indefinitely":    {"tap: {kernelModule: {mode: kmm, waitTimeout: 0}}", []string{"indefinitely"}},
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
