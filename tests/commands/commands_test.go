// Package commands_test runs the commands of the documentation, those whose mark
// says so (see tests/docs/blocks): each document in a folder of its own, its
// blocks one after the other, with pfring, helm and kubectl on the PATH, and
// where they ask for it on a control plane with simulated nodes.
package commands_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/tests/docs/blocks"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

func TestCommandsOfTheDocumentation(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds helm, kubectl and a control plane; run without -short")
	}
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	names, err := blocks.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{root: root, bin: tools(t)}
	for _, name := range names {
		found, err := blocks.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		s.document(t, name, found)
	}
}

// tools is a folder with the programs that documents call.
func tools(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := toolbin.Pfring(dir); err != nil {
		t.Fatal(err)
	}
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	kubectl, err := toolbin.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"helm": helm, "kubectl": kubectl} {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shell runs blocks.
type shell struct {
	root, bin string
	cluster   *playground
}

func (s *shell) document(t *testing.T, name string, found []blocks.Block) {
	t.Helper()
	dir := ""
	for _, b := range found {
		if !b.IsCommands() {
			continue
		}
		run, _, err := b.Plan()
		if err != nil || run == nil {
			continue // tests/docs tells what is wrong with it
		}
		if dir == "" {
			dir = s.folder(t)
		}
		ok := t.Run(fmt.Sprintf("%s line %d", name, b.Line), func(t *testing.T) { s.block(t, dir, b, *run) })
		if !ok {
			break // the rest of the document builds upon it
		}
	}
	if dir != "" && s.cluster != nil {
		s.cluster.tidy(t)
	}
}

// folder has what a reader of the documentation has: this repository's charts
// and examples, values, modules, and manifests of Kubeshark's chart.
func (s *shell) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"charts", "examples", "deploy"} {
		if err := os.Symlink(filepath.Join(s.root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	kubeshark, err := os.ReadFile(filepath.Join(s.root, "internal", "inject", "testdata", "53.3.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"values.yaml": []byte(values), "kubeshark.yaml": kubeshark,
		"repository/modules/amd64/" + kernel + "/pf_ring.ko": moduletest.KO{Kernel: kernel}.Bytes(),
		"pf_ring.ko": moduletest.KO{Kernel: kernel}.Bytes(),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// values are the reader's own.
const values = `tap:
  kernelModule:
    source:
      url: ` + documentedURL + `
      region: eu-central-1
      publicKeys: [` + documentedKey + `]
`

// fillFile does to a file what fill does to commands.
func (s *shell) fillFile(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(s.cluster.fill(string(text))), 0o600); err != nil { // #nosec G703 -- a folder of the test
		t.Fatal(err)
	}
}

func (s *shell) block(t *testing.T, dir string, b blocks.Block, run blocks.Run) {
	t.Helper()
	text := strings.ReplaceAll("\n"+b.Text, "\n$ ", "\n")
	home := t.TempDir()
	env := append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "HOME="+home, "KUBECONFIG=/nowhere", "PFRING_KEY_PASSWORD=secret",
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	if run.Cluster {
		if s.cluster == nil {
			s.cluster = newPlayground(t, 3)
		}
		env = append(env, s.cluster.env()...)
		text = s.cluster.fill(text)
		s.fillFile(t, filepath.Join(dir, "values.yaml"))
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text) // #nosec G204 -- the documentation's own commands
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if code != run.Exit {
		t.Errorf("%s: exit code %d, not %d:\n%s\nprinted\n%s", b.Place(), code, run.Exit, b.Text, out)
	}
}
