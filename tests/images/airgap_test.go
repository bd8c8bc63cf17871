package images_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// site runs the commands of a document, with the names in it replaced by what is
// there, in a folder of its own.
type site struct {
	dir, path string
	names     *strings.Replacer
	env       []string
	all       bool // other programs' commands too
}

// sh runs the commands of a document that are pfring's, and returns what they
// print.
func (s *site) sh(t *testing.T, commands string) (string, error) {
	t.Helper()
	var script strings.Builder
	for line := range strings.Lines(s.names.Replace(commands)) {
		if s.all || strings.HasPrefix(line, "pfring") {
			script.WriteString(line)
		}
	}
	cmd := exec.Command("/bin/sh", "-e", "-c", script.String())
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + s.path + ":" + os.Getenv("PATH"), "HOME=" + s.dir}, s.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The walk-through of docs/air-gapped.md: after the bundle is there, whatever is
// asked for beyond the loopback is refused.
func TestTheWalkThroughOfASiteWithoutEgress(t *testing.T) {
	host := distribution(t)
	text, err := os.ReadFile("../../docs/air-gapped.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 6 {
		t.Fatalf("the document has %d blocks of commands", len(blocks))
	}
	m := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: kernel, Padding: 1 << 20}, "zst").Add(moduletest.KO{Kernel: "5.4.0-1-amd64"}, "zst").Sign()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := m.Files[strings.TrimPrefix(r.URL.Path, "/pf-ring/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	s := &site{dir: t.TempDir(), path: t.TempDir(), names: strings.NewReplacer("https://modules.example.com", web.URL, "registry.example.com", host)}
	if _, err := toolbin.Pfring(s.path); err != nil {
		t.Fatal(err)
	}
	moduletest.WriteFiles(t, s.dir, map[string][]byte{"pfring.pub": []byte(m.PublicKey), "nodes.json": []byte(nodes(kernel, "amd64"))})
	out, err := s.sh(t, blocks[1][1])
	if err != nil || !strings.Contains(out, "1 module, 1 new") {
		t.Fatalf("outside: %v\n%s", err, out)
	}

	web.Close()
	nowhere := "http://127.0.0.1:1"
	s.env = []string{"HTTP_PROXY=" + nowhere, "HTTPS_PROXY=" + nowhere, "NO_PROXY=127.0.0.1"}
	if out, err := s.sh(t, strings.ReplaceAll(blocks[1][1], "https://modules", "https://elsewhere")); err == nil || !strings.Contains(out, "127.0.0.1:1") {
		t.Fatalf("the site is open: %v\n%s", err, out)
	}
	if out, err = s.sh(t, blocks[2][1]); err != nil {
		t.Fatalf("into the registry: %v\n%s", err, out)
	}
	out, err = s.sh(t, blocks[3][1])
	if err != nil || !strings.Contains(out, "Cluster is compatible") {
		t.Errorf("validate and compatibility: %v\n%s", err, out)
	}
	if err := get(t, "oci://"+host+"/kubeshark/pf-ring", m.PublicKey, kernel, "amd64"); err != nil {
		t.Errorf("the agent's own source: %v", err)
	}
	link := filepath.Join(s.dir, "busybox-static.deb")
	if err := os.Symlink(deb(t, "busybox-static", "amd64"), link); err != nil {
		t.Fatal(err)
	}
	out, err = s.sh(t, blocks[5][1])
	if err != nil || !strings.Contains(out, host+"/kubeshark/pf-ring-module:"+kernel+"@sha256:") {
		t.Errorf("packing for KMM: %v\n%s", err, out)
	}
}

// nodes is what kubectl get nodes -o json prints, cut to what is read of it.
func nodes(kernel, arch string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Node","metadata":{"name":"a","labels":{"kubernetes.io/os":"linux"}},
"status":{"nodeInfo":{"kernelVersion":%q,"architecture":%q,"operatingSystem":"linux","osImage":"Debian GNU/Linux 12 (bookworm)"},"conditions":[{"type":"Ready","status":"True"}]}}]}`, kernel, arch)
}
