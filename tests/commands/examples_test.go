package commands_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// elsewhere are examples whose other half this bed lacks, each with what runs such a
// command for real.
var elsewhere = map[string]string{
	"pfring module mirror https://modules.example.com/pf-ring s3://": "tests/images mirrors into a bucket",
	"pfring module mirror s3://":                                     "tests/images mirrors from a bucket",
	"pfring module pack":                                             "its base is pulled from docker.io; tests/images has one of its own",
	"pfring module index ./repository --key pfring.key --symvers":    "tests/vm proves kABI with real headers",
	"pfring module index ./repository --key pfring.key --kernel-ver": "tests/vm has a repository of several kernels of one release",
	"pfring module sign-kernel":                                      "tests/images signs for a kernel",
	"pfring module keygen":                                           "it asks for a password at a terminal",
	"pfring module build":                                            "tests/build builds",
	"pfring diff pfring -n kubeshark --reuse-values":                 "the mapping's image is asked for at docker.io",
}

// answers are the examples whose answer on the bed is not yes.
var answers = map[string]int{
	"pfring prereq check -n kubeshark --mode both":             1, // KMM has no controller there
	"pfring prereq check --mode kmm":                           1,
	"pfring prereq check -n kubeshark -f values.yaml --watch":  130,
	"pfring compatibility --watch":                             130,
	"pfring status -n kubeshark --watch":                       130,
	"pfring compatibility --kernel 6.8.0-51-generic":           1, // without nodes their system is unknown
	"pfring module inspect pf_ring.ko --kernel 6.1.0-56-amd64": 1, // the bed's module is for another kernel
}

// Every example of a command that asks a cluster, a repository or a registry is run, on a
// bed that has what the examples name.
func TestExamplesOfHelpTextsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds helm, kubectl and a control plane; run without -short")
	}
	b := newExampleBed(t)
	for _, line := range examples(cli.New(cli.Options{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})) {
		if prefixed(elsewhere, line) != "" {
			continue
		}
		t.Run(line, func(t *testing.T) {
			want := answers[prefixed(answers, line)]
			// Each begins with the same files.
			out, code := b.run(t, `here=$(mktemp -d -p "$PWD/..") && cp -a . "$here" && cd "$here" && `+line)
			if code != want {
				t.Errorf("exit code %d, not %d:\n%s", code, want, out)
			}
		})
	}
}

// prefixed is the longest key that text begins with.
func prefixed[T any](m map[string]T, text string) string {
	longest := ""
	for key := range m {
		if strings.HasPrefix(text, key) && len(key) > len(longest) {
			longest = key
		}
	}
	return longest
}

// examples are those of all commands below cmd, as they stand in their help.
func examples(cmd *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); strings.Contains(line, "pfring ") {
			lines = append(lines, line)
		}
	}
	for _, c := range cmd.Commands() {
		lines = append(lines, examples(c)...)
	}
	return lines
}

// exampleBed is a cluster, a repository and a registry with what the examples name.
type exampleBed struct {
	shell
	dir, registry string
}

func newExampleBed(t *testing.T) *exampleBed {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	b := &exampleBed{shell: shell{root: root, bin: tools(t)}}
	b.cluster = newPlayground(t, 8)
	b.dir = b.folder(t)
	b.fillFile(t, filepath.Join(b.dir, "values.yaml"))
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	b.registry = strings.TrimPrefix(server.URL, "http://")
	ctx := context.Background()
	if _, err := b.cluster.AddNodes(ctx, 5, kube.Node{
		Prefix: "arm", Arch: "arm64", OSImage: "Debian GNU/Linux 12 (bookworm)", Kernel: func(int) string { return kernel }, Labels: map[string]string{"topology.kubernetes.io/zone": "eu-central-1a"},
	}); err != nil {
		t.Fatal(err)
	}
	b.files(t)
	if err := b.cluster.AddDefinitions(ctx); err != nil {
		t.Fatal(err)
	}
	b.must(t, `kubectl create namespace kubeshark; kubectl create configmap modules-ca -n kubeshark --from-file ca.crt=`+b.cluster.CA.CertFile()+`
echo '      caBundle: {configMap: modules-ca}' >> values.yaml`)
	b.must(t, "helm install pfring charts/kubeshark-pfring -n kubeshark -f values.yaml")
	b.must(t, "kubectl apply -n kubeshark -f kubeshark.yaml")
	b.must(t, "pfring status -n kubeshark --wait 2m || true")
	return b
}

// files are what the examples read.
func (b *exampleBed) files(t *testing.T) {
	t.Helper()
	b.must(t, `sed -i 's/namespace: default/namespace: kubeshark/' kubeshark.yaml
cp values.yaml production.yaml; cp values.yaml base.yaml; mkdir -p clusters; cp values.yaml clusters/a.yaml
pfring inject --mode kmm -f kubeshark.yaml > with-wait.yaml; cp kubeshark.yaml suricata.yaml
sed -i 's/kubeshark-worker-daemon-set/suricata/' suricata.yaml
pfring module keygen pfring.key --no-password; echo `+b.cluster.key+` > pfring.pub; cp pfring.key own.key
pfring module index ./repository --key pfring.key
pfring module mirror `+b.cluster.url+` bundle.tar --public-key pfring.pub
cp pf_ring.ko pf_ring.ko.zst
kubectl get nodes -o json > nodes.json`)
	// What is done to the output with jq is the reader's.
	if err := os.WriteFile(filepath.Join(b.bin, "jq"), []byte("#!/bin/sh\nexec cat\n"), 0o700); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
}

func (b *exampleBed) must(t *testing.T, line string) {
	t.Helper()
	if out, code := b.run(t, line); code != 0 {
		t.Fatalf("%s: exit code %d\n%s", line, code, out)
	}
}

// run runs a line in a shell. A command that goes on until it is interrupted is.
func (b *exampleBed) run(t *testing.T, line string) (output string, code int) {
	t.Helper()
	if strings.Contains(line, " --watch") {
		line = strings.Replace(line, "pfring ", "timeout --preserve-status -s INT 4 pfring ", 1)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.fill(line)) // #nosec G204 -- this program's own examples
	home := filepath.Join(b.dir, "home")
	cmd.Dir = b.dir
	cmd.Env = append(append(os.Environ(), "PATH="+b.bin+":"+os.Getenv("PATH"), "HOME="+home, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home),
		b.cluster.env()...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}

// fill puts the bed where an example has the reader's own repository or registry.
func (b *exampleBed) fill(line string) string {
	return strings.NewReplacer(
		"https://modules.example.com/pf-ring", b.cluster.url, "s3://modules/pf_ring", b.cluster.url,
		"registry.example.com", b.registry, "registry.local", b.registry,
	).Replace(line)
}
