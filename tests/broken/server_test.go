package broken_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// apiProxy stands before the API server; between decides about each request and
// says whether it has answered.
type apiProxy struct {
	kubeconfig string
	requests   atomic.Int64
	mu         sync.Mutex
	seen       []string
}

func newAPIProxy(t *testing.T, between func(http.ResponseWriter, *http.Request) bool) *apiProxy {
	t.Helper()
	target, err := url.Parse(shared.URL)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := shared.CA.Issue("proxied", pkix.Name{CommonName: "proxied", Organization: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(shared.CA.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		},
	}
	p := &apiProxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.RequestURI())
		p.mu.Unlock()
		if between == nil || !between(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{Server: server.URL}
	config.AuthInfos["u"] = &api.AuthInfo{}
	config.Contexts["x"] = &api.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	p.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return p
}

// status answers as the API server does.
func status(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`, code, reason, message)
}

func TestAnAPIServerThatIsNotWell(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	t.Run("nobody there", func(t *testing.T) {
		config, err := clientcmd.LoadFromFile(shared.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		config.Clusters["test"].Server = "https://127.0.0.1:1"
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := clientcmd.WriteToFile(*config, file); err != nil {
			t.Fatal(err)
		}
		attempt{mode: "kmm", namespace: where, kubeconfig: file}.finds(t, "api.reachable error api-unreachable")
		config.Clusters["test"].Server = "https://api.invalid"
		if err := clientcmd.WriteToFile(*config, file); err != nil {
			t.Fatal(err)
		}
		attempt{mode: "kmm", namespace: where, kubeconfig: file}.finds(t, "api.reachable error api-unknown-host")
	})
	t.Run("of another authority", func(t *testing.T) {
		config, err := clientcmd.LoadFromFile(shared.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		config.Clusters["test"].CertificateAuthority = ""
		config.Clusters["test"].CertificateAuthorityData = shared.addons.other.pem
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := clientcmd.WriteToFile(*config, file); err != nil {
			t.Fatal(err)
		}
		attempt{mode: "kmm", namespace: where, kubeconfig: file}.finds(t, "api.reachable error api-tls-untrusted")
	})
	t.Run("429 to everything", func(t *testing.T) {
		p := newAPIProxy(t, func(w http.ResponseWriter, _ *http.Request) bool {
			status(w, http.StatusTooManyRequests, "TooManyRequests", "too many requests, please try again later")
			return true
		})
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "api.reachable error api-overloaded")
	})
	t.Run("429 to each request once", func(t *testing.T) {
		var first sync.Map
		p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
			if _, again := first.LoadOrStore(r.Method+r.URL.Path, true); again || !strings.Contains(r.URL.Path, "nodes") {
				return false
			}
			w.Header().Set("Retry-After", "1")
			status(w, http.StatusTooManyRequests, "TooManyRequests", "try again")
			return true
		})
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t)
	})
	t.Run("429 to lists of nodes", func(t *testing.T) {
		p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/api/v1/nodes" {
				return false
			}
			status(w, http.StatusTooManyRequests, "TooManyRequests", "too many requests")
			return true
		})
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "nodes.selected error api-overloaded")
	})
	t.Run("drops every watch", func(t *testing.T) {
		var watches atomic.Int64
		p := newAPIProxy(t, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("watch") != "" {
				watches.Add(1)
				panic(http.ErrAbortHandler)
			}
			return false
		})
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t)
		if n := watches.Load(); n > 0 {
			t.Errorf("%d watches, where nothing is waited for", n)
		}
	})
	t.Run("ends a paged list with 410 once", func(t *testing.T) {
		p, pages := expiring(t, 1)
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t)
		if pages.Load() < 3 {
			t.Errorf("the list had %d pages, so this test sees nothing", pages.Load())
		}
	})
	t.Run("ends every paged list with 410", func(t *testing.T) {
		p, _ := expiring(t, 1000)
		attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "nodes.selected error unreadable")
	})
	t.Run("cuts every connection", func(t *testing.T) {
		p := newAPIProxy(t, func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		attempt{mode: "auto", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "api.reachable error api-unreachable")
	})
	t.Run("does not know the caller", func(t *testing.T) {
		p := newAPIProxy(t, func(w http.ResponseWriter, _ *http.Request) bool {
			status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
			return true
		})
		attempt{mode: "auto", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "api.reachable error api-unauthorized")
	})
	t.Run("is too old", func(t *testing.T) {
		p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/version" {
				return false
			}
			_, _ = fmt.Fprint(w, `{"major":"1","minor":"23","gitVersion":"v1.23.17-eks-a1b2c3"}`)
			return true
		})
		attempt{mode: "auto", namespace: where, kubeconfig: p.kubeconfig}.finds(t, "api.version error api-too-old")
	})
}

// expiring serves nodes two at a time, and ends the first n continuations.
func expiring(t *testing.T, n int64) (*apiProxy, *atomic.Int64) {
	t.Helper()
	var ended, pages atomic.Int64
	p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/nodes" {
			return false
		}
		pages.Add(1)
		query := r.URL.Query()
		if query.Get("continue") != "" && ended.Add(1) <= n {
			status(w, http.StatusGone, string(metav1.StatusReasonExpired), "The provided continue parameter is too old")
			return true
		}
		query.Set("limit", "2")
		r.URL.RawQuery = query.Encode()
		return false
	})
	return p, &pages
}

func TestFewRequestsWhateverTheNumberOfNodes(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	secret(t, where, "pull", "kubernetes.io/dockerconfigjson", map[string]string{".dockerconfigjson": shared.images.dockerConfig(password)})
	counted := map[int]map[string]int64{}
	set := nodes(t, 3, kube.Node{Kernel: func(int) string { return kernelA }})
	for _, n := range []int{3, 200} {
		if n > 3 {
			addNodes(t, n-3, kube.Node{Prefix: "-more", Kernel: func(i int) string { return []string{kernelA, kernelB}[i%2] }}, set)
		}
		counted[n] = map[string]int64{}
		for _, mode := range []string{"auto", "kmm", "both"} {
			p := newAPIProxy(t, nil)
			a := attempt{
				mode: "kmm", namespace: where, set: set, kubeconfig: p.kubeconfig, args: []string{"--mode", mode},
				kernelModule: object{"imageRepoSecret": "pull", "source": object{"url": shared.source.url + "/good", "publicKeys": []any{shared.source.key}}},
			}
			report, code := a.report(t)
			if got := findings(report); len(got) > 0 || code != 0 {
				t.Fatalf("exit %d: %v", code, got)
			}
			counted[n][mode] = p.requests.Load()
			t.Logf("%d nodes, mode %s: %d requests", n, mode, p.requests.Load())
			if p.requests.Load() >= 60 {
				t.Errorf("%d requests:\n%s", p.requests.Load(), strings.Join(p.seen, "\n"))
			}
		}
	}
	// Where rules are not shown, as an authorizer outside the cluster does, they are
	// asked for one by one, but not of an administrator.
	p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/selfsubjectrulesreviews") {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, `{"kind":"SelfSubjectRulesReview","apiVersion":"authorization.k8s.io/v1","status":{"resourceRules":[],"nonResourceRules":[],"incomplete":true}}`)
		return true
	})
	attempt{mode: "kmm", namespace: where, set: set, kubeconfig: p.kubeconfig}.finds(t)
	if n := p.requests.Load(); n >= 60 {
		t.Errorf("%d requests where rules are not shown", n)
	}
	for mode, few := range counted[3] {
		if many := counted[200][mode]; many != few {
			t.Errorf("mode %s: %d requests for 3 nodes, %d for 200", mode, few, many)
		}
	}
}

// Ctrl-C in the middle ends the command at once, says so, and nothing was made
// that could be left.
func TestInterruptingLeavesNothingBehind(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	reached := make(chan struct{})
	var once sync.Once
	p := newAPIProxy(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/modules") {
			once.Do(func() { close(reached) })
			silent(w, r)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	a := attempt{mode: "kmm", namespace: where, kubeconfig: p.kubeconfig, args: []string{"--wait", "10m"}}
	cmd := a.command(t)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Error("the webhook was not tried")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if ended := (*exec.ExitError)(nil); !errors.As(err, &ended) || cmd.ProcessState.ExitCode() != 130 || !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("%v\n%s%s", err, out.String(), errOut.String())
	}
	for _, method := range p.seen {
		verb, uri, _ := strings.Cut(method, " ")
		if verb != http.MethodGet && !strings.Contains(uri, "dryRun=All") && !strings.Contains(uri, "authorization.k8s.io") {
			t.Errorf("%s is more than reading and trying", method)
		}
	}
	for _, kind := range []string{"Module", "Secret", "ConfigMap"} {
		list, err := shared.Dynamic.Resource(resources[kind]).Namespace(where).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if name := list.Items[i].GetName(); name != "kube-root-ca.crt" {
				t.Errorf("%s %s is left behind", kind, name)
			}
		}
	}
}
