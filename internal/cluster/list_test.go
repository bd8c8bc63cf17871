package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

// nodesAPI serves /api/v1/nodes in pages as an API server does, in protobuf.
type nodesAPI struct {
	nodes    []corev1.Node
	requests atomic.Int32
	// before may answer a request itself; it then returns true.
	before func(w http.ResponseWriter, r *http.Request, n int) bool
}

func (a *nodesAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(a.requests.Add(1))
	if a.before != nil && a.before(w, r, n) {
		return
	}
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || r.URL.Path != "/api/v1/nodes" || !strings.HasPrefix(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
		http.Error(w, "not a paged list that prefers protobuf: "+r.URL.String(), http.StatusBadRequest)
		return
	}
	from := 0
	if c := query.Get("continue"); c != "" {
		if from, err = strconv.Atoi(c); err != nil {
			http.Error(w, "another continue token", http.StatusBadRequest)
			return
		}
	}
	to := min(from+limit, len(a.nodes))
	list := &corev1.NodeList{Items: a.nodes[from:to]}
	if to < len(a.nodes) {
		list.Continue = strconv.Itoa(to)
	}
	codec := scheme.Codecs.EncoderForVersion(protobuf(), corev1.SchemeGroupVersion)
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
	if err := codec.Encode(list, w); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func protobuf() runtime.Serializer {
	for _, info := range scheme.Codecs.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeProtobuf {
			return info.Serializer
		}
	}
	panic("client-go knows no protobuf")
}

func status(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	// A client that is gone misses nothing.
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: string(reason),
	})
}

// manyNodes has as many nodes, with 200 kernels, of a realistic size.
func manyNodes(n int) []corev1.Node {
	nodes := make([]corev1.Node, n)
	for i := range nodes {
		node := &nodes[i]
		node.Name = fmt.Sprintf("node-%05d", i)
		node.Labels = map[string]string{corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3), "index": strconv.Itoa(i)}
		node.Status.NodeInfo = corev1.NodeSystemInfo{
			KernelVersion: fmt.Sprintf("6.1.%d-18-amd64", i%200), Architecture: "amd64", OperatingSystem: "linux", OSImage: "Debian GNU/Linux 12 (bookworm)",
		}
		for j := range 50 {
			node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
				Names: []string{fmt.Sprintf("registry.example.com/team/image-%d@sha256:%064d", j, i), fmt.Sprintf("registry.example.com/team/image-%d:v1", j)},
			})
		}
	}
	return nodes
}

func serve(t testing.TB, api *nodesAPI) cluster.NodeLister {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	lister, err := cluster.NewNodeLister(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return lister
}

func TestListNodesReadsAllPages(t *testing.T) {
	api := &nodesAPI{nodes: manyNodes(1203)}
	nodes, err := cluster.ListNodes(t.Context(), serve(t, api), "", cluster.Targets{})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 1203 || nodes[1202].Name != "node-01202" || nodes[7].Kernel != "6.1.7-18-amd64" || nodes[7].Zone != "zone-1" {
		t.Errorf("%d nodes, the 8th is %+v", len(nodes), nodes[7])
	}
	if got := api.requests.Load(); got != 3 {
		t.Errorf("%d requests for three pages", got)
	}
}

func TestListNodesBeginsAnewWhenItsSnapshotIsGone(t *testing.T) {
	t.Parallel() // it waits
	api := &nodesAPI{nodes: manyNodes(1100)}
	api.before = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 3 || n == 5 {
			status(w, http.StatusGone, metav1.StatusReasonExpired)
			return true
		}
		return false
	}
	nodes, err := cluster.ListNodes(t.Context(), serve(t, api), "", cluster.Targets{})
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 1100 || len(nodes) != 1100 {
		t.Errorf("%d nodes, %d different ones", len(nodes), len(slices.Compact(names)))
	}
}

func TestListNodesGivesUp(t *testing.T) {
	t.Parallel() // it waits
	for name, test := range map[string]struct {
		before func(http.ResponseWriter, *http.Request, int) bool
		is     func(error) bool
	}{
		"on a snapshot that is always gone": {func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Query().Get("continue") == "" {
				return false
			}
			status(w, http.StatusGone, metav1.StatusReasonExpired)
			return true
		}, apierrors.IsResourceExpired},
		"when forbidden": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			status(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			return true
		}, apierrors.IsForbidden},
		"when unauthorized": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			status(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
			return true
		}, apierrors.IsUnauthorized},
		"on a page that repeats": {func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"kind":"NodeList","apiVersion":"v1","metadata":{"continue":"same"},"items":[]}`)
			return true
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "repeats a page") }},
	} {
		lister := serve(t, &nodesAPI{nodes: manyNodes(600), before: test.before})
		if nodes, err := cluster.ListNodes(t.Context(), lister, "", cluster.Targets{}); !test.is(err) || nodes != nil {
			t.Errorf("%s: %d nodes, %v", name, len(nodes), err)
		}
	}
}

func TestListNodesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	api := &nodesAPI{nodes: manyNodes(600), before: func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 2 {
			cancel()
			status(w, http.StatusGone, metav1.StatusReasonExpired)
		}
		return n == 2
	}}
	if nodes, err := cluster.ListNodes(ctx, serve(t, api), "", cluster.Targets{}); err == nil || nodes != nil {
		t.Errorf("%d nodes, %v", len(nodes), err)
	}
}

func TestListNodesWaitsWhenTheServerSaysTooManyRequests(t *testing.T) {
	t.Parallel() // it waits
	api := &nodesAPI{nodes: manyNodes(600), before: func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 2 {
			w.Header().Set("Retry-After", "1")
			status(w, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests)
		}
		return n == 2
	}}
	if nodes, err := cluster.ListNodes(t.Context(), serve(t, api), "", cluster.Targets{}); err != nil || len(nodes) != 600 {
		t.Errorf("%d nodes, %v", len(nodes), err)
	}
}

func TestListNodesPassesTheSelectorOn(t *testing.T) {
	asked := ""
	api := &nodesAPI{before: func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		asked = r.URL.Query().Get("labelSelector")
		return false
	}}
	if _, err := cluster.ListNodes(t.Context(), serve(t, api), "a=b", cluster.Targets{}); err != nil || asked != "a=b" {
		t.Errorf("asked for %q, %v", asked, err)
	}
}

// BenchmarkListNodes reads 5,000 nodes of about 10 KB each over HTTP, in one
// process with the server.
func BenchmarkListNodes(b *testing.B) {
	lister := serve(b, &nodesAPI{nodes: manyNodes(5000)})
	b.ReportAllocs()
	for b.Loop() {
		if nodes, err := cluster.ListNodes(b.Context(), lister, "", cluster.Targets{}); err != nil || len(nodes) != 5000 {
			b.Fatalf("%d nodes, %v", len(nodes), err)
		}
	}
}

// Ten times the nodes cost ten times the work, and not more memory at a time
// than a page and the result.
func TestCostIsLinearInTheNumberOfNodes(t *testing.T) {
	allocations := func(n int) float64 {
		lister := serve(t, &nodesAPI{nodes: manyNodes(n)})
		return testing.AllocsPerRun(2, func() {
			if _, err := cluster.ListNodes(t.Context(), lister, "", cluster.Targets{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	at500, at5000 := allocations(500), allocations(5000)
	t.Logf("%.0f allocations for 500 nodes, %.0f for 5000, the server's included", at500, at5000)
	if at5000 > 11*at500 {
		t.Errorf("%.0f allocations for 500 nodes, %.0f for 5000: more than linear", at500, at5000)
	}
}
