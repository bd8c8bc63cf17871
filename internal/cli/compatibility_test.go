package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// execute runs a command in this process, with stdin, and returns its streams
// and exit code.
func execute(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut})
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		errOut.WriteString(err.Error())
	}
	return out.String(), errOut.String(), cli.ExitCode(err)
}

// signedRepository is a folder with modules for kernels, as a URL, and its key.
func signedRepository(t *testing.T, kernels ...string) (url, key string) {
	t.Helper()
	r := moduletest.NewRepository(t)
	for _, k := range kernels {
		r.Add(moduletest.KO{Kernel: k}, module.FormatZst)
	}
	dir := t.TempDir()
	r.Sign().Write(dir)
	return "file://" + dir, r.PublicKey
}

func TestCompatibilityAnswersByItsExitCode(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	source := []string{"compatibility", "--source", url, "--public-key", key}
	bad := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(bad, []byte("kind: Pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args  []string
		stdin string
		code  int
		says  string
	}{
		"a kernel that is there":   {append(source, "--kernel", "6.1.0-18-cloud-amd64"), "", 0, "Kernel is compatible"},
		"another architecture":     {append(source, "--kernel", "6.1.0-18-cloud-amd64", "--arch", "arm64"), "", 1, "no-module-for-kernel"},
		"uname's architecture":     {append(source, "--kernel", "6.1.0-18-cloud-amd64", "--arch", "x86_64"), "", 0, "Kernel is compatible"},
		"a list on stdin":          {append(source, "--nodes-from", "-"), "6.1.0-18-cloud-amd64\n6.8.0-51-generic\n", 1, "1 of 2 is not supported"},
		"no key":                   {[]string{"compatibility", "--source", url, "--kernel", "6.1.0-18-cloud-amd64"}, "", 1, "source-unsigned"},
		"a broken key":             {[]string{"compatibility", "--source", url, "--public-key", "RWQx", "--kernel", "6.1.0"}, "", 2, "--public-key"},
		"verify none":              {[]string{"compatibility", "--source", url, "--kernel", "6.1.0-18-cloud-amd64", "--set", "tap.kernelModule.source.verify=none"}, "", 0, "Kernel is compatible"},
		"invalid values":           {append(source, "--kernel", "6.1.0", "--set", "tap.kernelModule.mode=atuo"), "", 1, "tap.kernelModule.mode"},
		"a file of something else": {append(source, "--nodes-from", bad), "", 2, "bad.txt: the document is a Pod"},
		"no file":                  {append(source, "--nodes-from", bad+"x"), "", 2, "not found"},
		"no repository":            {[]string{"compatibility", "--kernel", "6.1.0", "--source", "file://" + t.TempDir()}, "", 2, "neither index.json"},
		"a strange URL":            {[]string{"compatibility", "--kernel", "6.1.0", "--source", "ftp://x"}, "", 2, "must be https://"},
		"a strange kernel":         {append(source, "--kernel", "vmlinuz"), "", 2, "--kernel"},
		"a strange output":         {append(source, "--kernel", "6.1.0", "-o", "xml"), "", 2, "--output"},
		"two kinds of nodes":       {append(source, "--kernel", "6.1.0", "--nodes-from", bad), "", 2, "nodes-from"},
		"no cluster":               {source, "", 2, "--nodes-from"},
		"kmm with a source":        {append(source, "--kernel", "6.1.0", "--set", "tap.kernelModule.mode=kmm"), "", 2, "--source"},
		"kmm":                      {[]string{"compatibility", "--kernel", "6.1.0", "--set", "tap.kernelModule.mode=kmm", "--images=false"}, "", 1, "docker.io/kubeshark/pf-ring-module:6.1.0"},
	} {
		stdout, stderr, code := execute(t, test.stdin, test.args...)
		if code != test.code || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", name, code, test.code, test.says, stdout, stderr)
		}
		if test.code == 2 && stdout != "" {
			t.Errorf("%s: an answer on stdout: %s", name, stdout)
		}
	}
}

func TestCompatibilityLeavesOutNodesThatTheValuesDo(t *testing.T) {
	url, key := signedRepository(t, "6.1.0-18-cloud-amd64")
	nodes := `{"kind":"List","items":[
	  {"kind":"Node","metadata":{"name":"a","labels":{"capture":"yes"}},"status":{"nodeInfo":{"kernelVersion":"6.1.0-18-cloud-amd64","architecture":"amd64"}}},
	  {"kind":"Node","metadata":{"name":"b"},"status":{"nodeInfo":{"kernelVersion":"9.9.9","architecture":"amd64"}}}]}`
	terms := `[{"matchExpressions":[{"key":"capture","operator":"In","values":["yes"]}]}]`
	for name, set := range map[string]string{
		"a list of terms": "tap.nodeSelectorTerms=" + terms, "a map of lists": `tap.nodeSelectorTerms={"workers":` + terms + `}`,
		"the agent's own selector": `tap.kernelModule.agent.nodeSelector={"capture":"yes"}`,
	} {
		stdout, stderr, code := execute(t, nodes, "compatibility", "--nodes-from", "-", "--source", url, "--public-key", key, "--set-json", set, "-o", "json")
		var r compatibility.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || r.Totals.Yes != 1 || r.Totals.Excluded != 1 {
			t.Errorf("%s: exit %d, %+v, %v\n%s", name, code, r.Totals, err, stderr)
		}
	}
}

// No secret of a URL may reach any output.
func TestCompatibilityHidesThePasswordOfASource(t *testing.T) {
	stdout, stderr, code := execute(t, "", "compatibility", "--kernel", "6.1.0", "--source", "http://me:hunter2@127.0.0.1:1/x", "--source-timeout", "3s")
	if code != 2 || strings.Contains(stdout+stderr, "hunter2") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}
