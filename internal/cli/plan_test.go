package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestPlanWritesValuesThatValidateAccepts(t *testing.T) {
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	nodes := "6.1.0-18-cloud-amd64\n6.8.0-51-generic arm64\n"
	file := filepath.Join(t.TempDir(), "planned.yaml")
	stdout, stderr, code := execute(t, nodes, "plan", "--nodes-from", "-", "--source", url, "--public-key", key,
		"--image-repository", "registry.example.com/pf-ring", "--build-configmap", "build", "--output-file", file)
	if code != 0 || !strings.Contains(stdout, "kmm: the operator builds") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	written, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(written), "literal: 6.8.0-51-generic") {
		t.Errorf("%v\n%s", err, written)
	}
	if stdout, stderr, code := execute(t, "", "validate", file, "--fail-on", "warning"); code != 0 {
		t.Errorf("validate: exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestPlanTakesKeyAndSourceIntoTheValues(t *testing.T) {
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	own := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(own, []byte("tap:\n  kernelModule:\n    source:\n      volume: {persistentVolumeClaim: {claimName: modules}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"plan", "--kernel", "6.1.0-18-cloud-amd64", "--source", url, "--public-key", key, "-o", "values"}
	stdout, stderr, code := execute(t, "", append(args, "-f", own)...)
	if code != 0 || !strings.Contains(stdout, "- "+key) || !strings.Contains(stdout, "url: "+url) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if strings.Contains(stdout, "hostPath") {
		t.Errorf("the values' own volume is replaced:\n%s", stdout)
	}
	// Without a volume these values would not do: each node is to read its own folder.
	if stdout, stderr, code := execute(t, "", args...); code != 0 || !strings.Contains(stdout, "path: "+strings.TrimPrefix(url, "file://")) || !strings.Contains(stdout, "copy the repository there") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// Values of a chart that has this one as a dependency stay below its key.
func TestPlanKeepsToTheKeyOfASubchart(t *testing.T) {
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	dir := t.TempDir()
	parent, planned := filepath.Join(dir, "parent.yaml"), filepath.Join(dir, "planned.yaml")
	if err := os.WriteFile(parent, []byte("other: {replicas: 1}\ncapture.agent:\n  tap:\n    kernelModule:\n      source: {url: "+url+", publicKeys: ["+key+"], volume: {hostPath: {path: "+dir+"}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--subchart", "capture.agent"}} {
		stdout, stderr, code := execute(t, "", append([]string{"plan", "--kernel", "6.1.0-18-cloud-amd64", "-f", parent, "--output-file", planned}, flags...)...)
		written, err := os.ReadFile(planned)
		if code != 0 || err != nil || !strings.Contains(string(written), "\ncapture.agent:\n  tap:\n    kernelModule:\n      mode: auto\n") {
			t.Fatalf("exit %d, %v\n%s%s%s", code, err, stdout, stderr, written)
		}
		if stdout, stderr, code := execute(t, "", "validate", parent, planned, "--fail-on", "warning"); code != 0 {
			t.Errorf("validate: exit %d\n%s%s", code, stdout, stderr)
		}
	}
	// What a flag sets goes below the key too.
	for _, flags := range [][]string{nil, {"--subchart", "capture.agent"}} {
		stdout, stderr, code := execute(t, "", append([]string{"render", "-f", parent, "--mode", "kmm"}, flags...)...)
		if code != 0 || !strings.Contains(stdout, "kind: Module\n") {
			t.Errorf("exit %d\n%s%.300s", code, stderr, stdout)
		}
	}
}

func TestPlanAnswersByItsExitCode(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // a test reaches nothing outside
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	windows := `{"kind":"Node","metadata":{"name":"w"},"status":{"nodeInfo":{"kernelVersion":"10.0.1","architecture":"amd64","operatingSystem":"windows"}}}`
	unreachable := []string{"--set", "tap.kernelModule.source.verify=none", "--source-timeout", "50ms"}
	for name, test := range map[string]struct {
		args  []string
		stdin string
		code  int
		says  string
	}{
		"no node can":        {[]string{"plan", "--nodes-from", "-", "--no-egress", "--source-timeout", "50ms"}, windows, 1, "no node can have the module"},
		"a strange mode":     {[]string{"plan", "--kernel", "6.1.0", "--mode", "both"}, "", 2, "--mode"},
		"a strange output":   {[]string{"plan", "--kernel", "6.1.0", "-o", "xml"}, "", 2, "--output"},
		"no repository":      {append([]string{"plan", "--kernel", "6.1.0", "--source", "file://" + t.TempDir()}, unreachable...), "", 2, "neither index.json"},
		"no cluster":         {[]string{"plan", "--no-egress", "--source-timeout", "50ms"}, "", 2, "kubeconfig"},
		"an unwritable file": {[]string{"plan", "--kernel", "6.1.0", "--no-egress", "--source-timeout", "50ms", "--output-file", t.TempDir()}, "", 2, "is a directory"},
		"cut off":            {[]string{"plan", "--kernel", "6.1.0", "--no-egress", "--source", valuesschema.HistoricRoot, "--source-timeout", "50ms"}, "", 0, "your own module repository"},
	} {
		stdout, stderr, code := execute(t, test.stdin, test.args...)
		if code != test.code || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", name, code, test.code, test.says, stdout, stderr)
		}
	}
}
