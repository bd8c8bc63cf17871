package commands_test

import (
	"context"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// kernel is that of the nodes and of the repository's modules.
const kernel = "6.1.0-18-amd64"

// What the documentation writes for a bucket and a key of the reader's own.
const (
	documentedURL = "s3://my-bucket/pf-ring"
	documentedKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
)

// playground is a cluster of simulated nodes, and a signed module
// repository that takes the place of the reader's bucket.
type playground struct {
	*kube.Cluster
	url, key string
}

// newPlayground lasts until the test that all documents are part of ends.
func newPlayground(t *testing.T, nodes int) *playground {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "pfring-commands-")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := kube.Launch(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &playground{Cluster: cluster}
	server := p.serve(t, filepath.Join(dir, "repository"))
	atEnd(func() {
		cancel()
		_ = server.Close() // of this process
		cluster.Stop()
		_ = os.RemoveAll(dir)
	})
	if _, err := cluster.AddNodes(ctx, nodes, kube.Node{Prefix: "worker", OSImage: "Debian GNU/Linux 12 (bookworm)", Kernel: func(int) string { return kernel }}); err != nil {
		t.Fatal(err)
	}
	agent, err := toolbin.Agent(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.RunKubelet(ctx, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		if pod.Labels["app.kubernetes.io/component"] == "probe" {
			return cluster.Execute(ctx, agent, pod, node, kube.HealthyMachine(kernel))
		}
		return kube.Loaded()
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *playground) serve(t *testing.T, dir string) *http.Server {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(dir, "modules", arch, kernel, "pf_ring.ko")
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, moduletest.KO{Kernel: kernel, Arch: arch}.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if _, err := repository.Update(t.Context(), dir, repository.Options{Lifetime: 365 * 24 * time.Hour, Now: now}); err != nil {
		t.Fatal(err)
	}
	public, err := repository.NewKey(dir+".key", "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := repository.ReadKey(dir+".key", func() (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Sign(t.Context(), dir, key, now); err != nil {
		t.Fatal(err)
	}
	cert, private, err := p.CA.Issue("module-repository", pkix.Name{CommonName: "module-repository"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.url, p.key = "https://"+l.Addr().String(), public
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.ServeTLS(l, cert, private) }() // until it is closed
	return server
}

// env lets commands find the cluster and trust the repository.
func (p *playground) env() []string {
	return []string{"KUBECONFIG=" + p.Kubeconfig, "SSL_CERT_FILE=" + p.CA.CertFile()}
}

// fill puts the repository where the documentation has the reader's own.
func (p *playground) fill(text string) string {
	return strings.NewReplacer(documentedURL, p.url, documentedKey, p.key).Replace(text)
}

// tidy removes what a document has left in the namespace that all of them use.
func (p *playground) tidy(t *testing.T) {
	t.Helper()
	namespaces := p.Client.CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), "kubeshark", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the namespace kubeshark to be gone", func(ctx context.Context) (bool, error) {
		_, err := namespaces.Get(ctx, "kubeshark", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		t.Error(err)
	}
}

var ends []func()

// atEnd does something after the last test: the first document that needs a
// cluster is not the last one.
func atEnd(do func()) { ends = append(ends, do) }

func TestMain(m *testing.M) {
	code := m.Run()
	for _, do := range ends {
		do()
	}
	os.Exit(code)
}
