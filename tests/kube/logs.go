package kube

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Logs serve what containers on simulated nodes have printed, as kubelets do.
type Logs struct {
	server *httptest.Server
	mu     sync.Mutex
	text   map[string]string
	refuse int
}

// ServeLogs starts serving, which ends with the test.
func ServeLogs(t testing.TB) *Logs {
	t.Helper()
	l := &Logs{text: map[string]string{}}
	l.server = httptest.NewTLSServer(l)
	t.Cleanup(l.server.Close)
	return l
}

// Set is what the container of a pod has printed.
func (l *Logs) Set(pod *corev1.Pod, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text[pod.Namespace+"/"+pod.Name] = text
}

// Refuse has the next n requests fail, as those to a kubelet that starts again.
func (l *Logs) Refuse(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = n
}

// ServeHTTP answers GET /containerLogs/NAMESPACE/POD/CONTAINER.
func (l *Logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	l.mu.Lock()
	text, found := l.text[parts[1]+"/"+parts[2]]
	refused := l.refuse > 0
	if refused {
		l.refuse--
	}
	l.mu.Unlock()
	if refused {
		http.Error(w, "the kubelet is starting", http.StatusServiceUnavailable)
		return
	}
	if !found {
		http.Error(w, "the container has not begun", http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(text))
}

// at sets where the API server finds the logs of a node.
func (l *Logs) at(node *corev1.Node) {
	host, port, err := net.SplitHostPort(l.server.Listener.Addr().String())
	if err != nil {
		panic(err) // a listener's own address
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		panic(err)
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints = corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(number)}}
}
