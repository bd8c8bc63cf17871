package node_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/docs/blocks"
	"github.com/kubeshark/kubeshark-pfring/tests/node"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

// quickstart runs the blocks of docs/quickstart.md that name this test, as a
// reader would: in a checkout, with its own bin folder on the PATH.
type quickstart struct {
	blocks []blocks.Block
	env    []string
	// dir is the checkout; asked has the files that k3s was to import, one a line.
	dir, asked string
	// instead is what the test bed needs in place of a text of the page.
	instead [2]string
}

const quickstartPage, quickstartMark = "docs/quickstart.md", "tested by: tests/node TestTheClusterSuppliesItself"

// readQuickstart makes a checkout of links, so that what the page builds is not
// built into the repository, and a bin folder for what the page takes for
// granted: helm, kubectl, and a k3s that notes what it is to import.
func readQuickstart(t *testing.T, b *bed) *quickstart {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	q := &quickstart{dir: dir, asked: filepath.Join(bin, "asked")}
	all, err := blocks.Read(root, quickstartPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Mark == quickstartMark {
			q.blocks = append(q.blocks, b)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "bin" || e.Name() == "dist" {
			continue
		}
		if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	kubectl, err := toolbin.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"helm": b.helm, "kubectl": kubectl} {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	k3s := "#!/bin/sh\n[ \"$1 $2 $3\" = 'ctr images import' ] || exit 2\nshift 3\nls \"$@\" >>" + q.asked + "\n"
	if err := os.WriteFile(filepath.Join(bin, "k3s"), []byte(k3s), 0o755); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	const install = "helm install pfring charts/kubeshark-pfring -n kubeshark --wait"
	q.instead = [2]string{install, install + " --values " + b.values}
	home := t.TempDir()
	q.env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+b.cluster.Kubeconfig,
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	return q
}

// run runs the next block, which must be the one with a text, and returns what it
// prints. So a block of the page that is not run fails the test.
func (q *quickstart) run(t *testing.T, text string) string {
	t.Helper()
	if len(q.blocks) == 0 || !strings.Contains(q.blocks[0].Text, text) {
		t.Fatalf("the next block of %s does not have %q: %+v", quickstartPage, text, q.blocks)
	}
	b := q.blocks[0]
	q.blocks = q.blocks[1:]
	if text == "helm install" && !strings.Contains(b.Text, q.instead[0]+"\n") {
		t.Fatalf("%s does not have the command %q", b.Place(), q.instead[0])
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(b.Text, q.instead[0], q.instead[1])) // #nosec G204 -- the documentation's own commands
	cmd.Dir, cmd.Env = q.dir, q.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\nprinted\n%s", b.Place(), err, b.Text, out)
	}
	t.Logf("%s:\n%s\nprinted\n%s", b.Place(), b.Text, out)
	return string(out)
}

// importImages does on the node what k3s was asked for.
func (q *quickstart) importImages(t *testing.T, n *node.Node) {
	t.Helper()
	text, err := os.ReadFile(q.asked)
	if err != nil {
		t.Fatal(err)
	}
	files := httptest.NewServer(http.FileServer(http.Dir(q.dir)))
	defer files.Close()
	at := "http://" + node.Reachable(strings.TrimPrefix(files.URL, "http://")) + "/"
	names := strings.Fields(string(text))
	if len(names) != 2 {
		t.Errorf("images to import: %q, want those of agent and controller", names)
	}
	for _, name := range names {
		n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/sh", "-ec",
			"busybox wget -q -O /image.tar " + at + name + "; ctr -a /run/containerd/containerd.sock -n k8s.io images import /image.tar; busybox rm /image.tar"}})
	}
}
