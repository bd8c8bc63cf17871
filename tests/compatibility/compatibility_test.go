// Package compatibility_test runs `pfring compatibility` and `pfring plan` as
// whole processes against a real API server.
package compatibility_test

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/plan"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var (
	shared *kube.Cluster
	pfring string
)

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(_ context.Context, c *kube.Cluster) (err error) {
		shared = c
		// Beside the cluster's own files, which are removed with it.
		pfring, err = toolbin.Pfring(filepath.Dir(c.Kubeconfig))
		return err
	}))
}

// result is what a process has left.
type result struct {
	stdout, stderr string
	code           int
}

// run starts pfring with a kubeconfig, bounded well above what it takes.
func run(t testing.TB, kubeconfig string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, pfring, append(args, "--kubeconfig", kubeconfig)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// reportOf runs compatibility with -o json.
func reportOf(t testing.TB, kubeconfig string, args ...string) (compatibility.Report, result) {
	t.Helper()
	got := run(t, kubeconfig, append(append([]string{"compatibility"}, args...), "-o", "json")...)
	var r compatibility.Report
	if got.code == 2 {
		return r, got
	}
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("no JSON: %v\n%s%s", err, got.stdout, got.stderr)
	}
	return r, got
}

// source is a signed repository on loopback that counts its requests.
type source struct {
	url, key, ca string
	// password is asked for by basic auth, of the user ann, unless it is "".
	password string
	requests atomic.Int32
}

func serve(t testing.TB, kernels ...string) *source {
	t.Helper()
	r := moduletest.NewRepository(t)
	for _, k := range kernels {
		r.Add(moduletest.KO{Kernel: k}, module.FormatZst)
	}
	dir := t.TempDir()
	r.Sign().Write(dir)
	s := &source{key: r.PublicKey}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		if _, password, _ := req.BasicAuth(); password != s.password {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	s.url, s.ca = server.URL, filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(s.ca, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *source) flags() []string {
	return []string{"--source", s.url, "--public-key", s.key, "--ca-file", s.ca}
}

// addNodes makes simulated nodes with a label of their own, and removes them at
// the test's end.
func addNodes(t testing.TB, n int, name string, kernel func(int) string) (selector string) {
	t.Helper()
	shared.TestNodes(t, n, kube.Node{Prefix: name, Kernel: kernel, Labels: map[string]string{"group": name}})
	return "group=" + name
}

func TestEveryNodeIsReadAndTheSourceIsAskedOnce(t *testing.T) {
	s := serve(t, "6.1.0-0-amd64", "6.1.0-1-amd64")
	selector := addNodes(t, 1100, "many", func(i int) string { return fmt.Sprintf("6.1.0-%d-amd64", i%3) })
	r, got := reportOf(t, shared.Kubeconfig, append(s.flags(), "-l", selector)...)
	if got.code != 1 || len(r.Nodes) != 1100 || r.Totals.Yes != 734 || r.Totals.No != 366 || len(r.Kernels) != 3 {
		t.Errorf("exit %d, %d nodes, %+v, %d kernels\n%s", got.code, len(r.Nodes), r.Totals, len(r.Kernels), got.stderr)
	}
	if n := s.requests.Load(); n != 2 {
		t.Errorf("the repository got %d requests; index and signature are two", n)
	}
}

func TestACompatibleClusterIsExitZero(t *testing.T) {
	s := serve(t, "6.1.0-18-amd64")
	selector := addNodes(t, 3, "good", nil)
	got := run(t, shared.Kubeconfig, append([]string{"compatibility", "-l", selector}, s.flags()...)...)
	if got.code != 0 || !strings.HasSuffix(got.stdout, "Cluster is compatible\n") || !strings.HasPrefix(got.stdout, "Node ") {
		t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestRecordedNodesOfEachPlatformComeBackFromTheAPI(t *testing.T) {
	files, err := filepath.Glob("../../internal/cluster/testdata/nodes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded nodes: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var node corev1.Node
		if err := yaml.UnmarshalStrict(text, &node); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		node.Labels["group"] = "recorded"
		if _, err := shared.Client.CoreV1().Nodes().Create(t.Context(), &node, metav1.CreateOptions{}); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Cleanup(func() {
			if err := shared.RemoveNodes(context.Background(), node.Name); err != nil {
				t.Error(err)
			}
		})
	}
	s := serve(t, "5.14.0-427.68.1.el9_4.x86_64", "6.6.87+", "6.12.25-talos", "6.1.132")
	live, got := reportOf(t, shared.Kubeconfig, append(s.flags(), "-l", "group=recorded")...)
	if got.code != 1 || len(live.Nodes) != len(files) {
		t.Fatalf("exit %d, %d nodes of %d\n%s", got.code, len(live.Nodes), len(files), got.stderr)
	}
	// The same from a file: kubectl's JSON of the same nodes.
	list, err := shared.Client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: "group=recorded"})
	if err != nil {
		t.Fatal(err)
	}
	list.Kind, list.APIVersion = "List", "v1"
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "nodes.json")
	if err := os.WriteFile(saved, data, 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, _ := reportOf(t, filepath.Join(t.TempDir(), "none"), append(s.flags(), "--nodes-from", saved)...)
	for i := range live.Nodes {
		if live.Nodes[i] != fromFile.Nodes[i] {
			t.Errorf("live %+v\nfile %+v", live.Nodes[i], fromFile.Nodes[i])
		}
	}
}

// Whoever may list nodes and nothing else gets the answer: nothing is created.
func TestListingNodesIsAllTheRightThatIsNeeded(t *testing.T) {
	selector := addNodes(t, 2, "rights", nil)
	s := serve(t, "6.1.0-18-amd64")
	reader, err := shared.WriteKubeconfig("node-reader", pkix.Name{CommonName: "node-reader"})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "node-reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "node-reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "node-reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "node-reader"}},
	}
	args := append(s.flags(), "-l", selector)
	if _, got := reportOf(t, reader, args...); got.code != 2 || !strings.Contains(got.stderr, "forbidden") || !strings.Contains(got.stderr, "--nodes-from") {
		t.Errorf("without the right: exit %d, %s", got.code, got.stderr)
	}
	if _, err := shared.Client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err = kube.Poll(t.Context(), "the right to list nodes", func(context.Context) (bool, error) {
		_, got := reportOf(t, reader, args...)
		return got.code == 0, nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := run(t, reader, append([]string{"plan"}, args...)...); got.code != 0 || !strings.Contains(got.stdout, "Use auto") {
		t.Errorf("plan: exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestAnUnreachableClusterIsExitTwo(t *testing.T) {
	text, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(gone, bytes.ReplaceAll(text, []byte(shared.URL), []byte("https://127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	if _, got := reportOf(t, gone, s.flags()...); got.code != 2 || !strings.Contains(got.stderr, "cannot list nodes") || got.stdout != "" {
		t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestPlanSeesWhatIsInstalled(t *testing.T) {
	selector := addNodes(t, 2, "planned", func(i int) string { return fmt.Sprintf("6.1.0-%d-amd64", i) })
	s := serve(t, "6.1.0-0-amd64")
	args := append([]string{"plan", "-l", selector, "-o", "json", "--image-repository", "registry.example.com/pf-ring"}, s.flags()...)
	// Where no operator answers, kmm is for those who ask for it.
	if before := planOf(t, args); before.Way != plan.Auto || asks(before, "Install") || !asks(before, "6.1.0-1-amd64") {
		t.Errorf("nothing is installed: %s, %+v", before.Way, before.First)
	}
	args = append(args, "--mode", "kmm")
	before := planOf(t, args)
	if before.Way != plan.KMMPrebuilt || !asks(before, "Install cert-manager") || !asks(before, "Install Kernel Module Management") {
		t.Errorf("nothing is installed: %s, %+v", before.Way, before.First)
	}
	for plural, group := range map[string]string{"modules": "kmm.sigs.x-k8s.io", "certificates": "cert-manager.io"} {
		addCRD(t, plural, group)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "the API groups to be served", func(context.Context) (bool, error) {
		after := planOf(t, args)
		return !asks(after, "Install") && asks(after, "Start the operator"), nil
	})
	if err != nil {
		t.Error(err)
	}
}

func planOf(t *testing.T, args []string) plan.Plan {
	t.Helper()
	got := run(t, shared.Kubeconfig, args...)
	var p plan.Plan
	if err := json.Unmarshal([]byte(got.stdout), &p); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v\n%s%s", got.code, err, got.stdout, got.stderr)
	}
	return p
}

func asks(p plan.Plan, text string) bool {
	for _, step := range p.First {
		if strings.Contains(step.What, text) {
			return true
		}
	}
	return false
}

// addCRD makes the API serve a group, which is all that plan looks for.
func addCRD(t *testing.T, plural, group string) {
	t.Helper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group, "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, a test"}},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]any{"plural": plural, "kind": strings.ToUpper(plural[:1]) + plural[1:]},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
			}},
		},
	}}
	crds := shared.Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := crds.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crds.Delete(context.Background(), crd.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}
