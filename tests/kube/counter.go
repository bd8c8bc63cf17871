package kube

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Counter stands before the API server and counts what passes, in the name of
// the administrator.
type Counter struct {
	// Kubeconfig is the path of one that goes through the counter.
	Kubeconfig string

	// Old has the server answer as those before Kubernetes 1.32 do, which send
	// nothing on a watch that was there before.
	Old bool

	mu       sync.Mutex
	requests map[string]int
	watches  int
	lists    map[string]int
}

// Count starts a counter, which ends with the test.
func (c *Cluster) Count(t testing.TB) *Counter {
	t.Helper()
	target, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	counter := &Counter{requests: map[string]int{}, lists: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counter.add(r)
		if counter.Old && r.URL.Query().Get("sendInitialEvents") != "" {
			refuseInitialEvents(w)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	config := api.NewConfig()
	config.Clusters["counted"] = &api.Cluster{
		Server: server.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	config.Contexts["counted"] = &api.Context{Cluster: "counted"}
	config.CurrentContext = "counted"
	counter.Kubeconfig = filepath.Join(t.TempDir(), "counted.kubeconfig")
	if err := clientcmd.WriteToFile(*config, counter.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return counter
}

// refuseInitialEvents is the answer of a server that does not know them.
func refuseInitialEvents(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,` +
		`"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`))
}

func (c *Counter) add(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[fmt.Sprintf("%s %s", r.Method, r.URL.Path)]++
	switch q := r.URL.Query(); {
	case q.Get("watch") != "":
		c.watches++
	case q.Get("limit") != "" && q.Get("continue") == "":
		c.lists[path.Base(r.URL.Path)]++
	}
}

// Lists returns how often a resource, such as pods, was listed from the start in
// pages.
func (c *Counter) Lists(resource string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists[resource]
}

// Take returns how many requests, and how many watches among them, have passed
// since the last call, and by method and path.
func (c *Counter) Take() (all, watches int, by map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by, watches = c.requests, c.watches
	c.requests, c.watches = map[string]int{}, 0
	for _, n := range by {
		all += n
	}
	return all, watches, by
}
