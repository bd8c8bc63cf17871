package cluster_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
)

// overloaded refuses the first times, and asks to come again after seconds.
func overloaded(t *testing.T, times int32, seconds string) (*http.Client, string, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if asked.Add(1) <= times {
			w.Header().Set("Retry-After", seconds)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	cluster.Patient(config)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, server.URL, &asked
}

// A credential plugin is named while it is waited for, then the server.
func TestACredentialPluginThatKeepsARequestWaitingIsNamed(t *testing.T) {
	t.Parallel() // it waits
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, Timeout: time.Minute, ExecProvider: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode, Command: "sh",
		Args: []string{"-c", `sleep 1.5; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'`},
	}}
	cluster.Patient(config)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	ctx, notice := waiting.With(t.Context(), &out, false)
	defer notice.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	notice.Stop()
	if body, _ := io.ReadAll(response.Body); string(body) != "Bearer t" || !strings.Contains(out.String(), "Waiting for the kubeconfig's credential plugin sh …") {
		t.Errorf("the server got %q; %q", body, out.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A login page, or a proxy, that stands where the API server should.
func TestAnswersOfOtherServersAreToldApart(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example.com/login?token=secret", http.StatusFound)
		}, "sends the client on to https://sso.example.com, as a login page"},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html>Sign in</html>")
		}, "answers with a web page, as a login page"},
		"a web page that refuses": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<html>Blocked</html>")
		}, "answers with a web page (403 Forbidden), as a login page"},
		"a load balancer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "<html><h1>503</h1></html>")
		}, "a proxy or load balancer answers in place of the API server"},
		"an expired list": {func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusGone, metav1.StatusReasonExpired) }, "(410 Gone). Try again."},
	} {
		server := httptest.NewServer(test.answer)
		t.Cleanup(server.Close)
		config := &rest.Config{Host: server.URL, BearerToken: "secret"}
		cluster.Patient(config)
		lister, err := cluster.NewNodeLister(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = lister.List(t.Context(), metav1.ListOptions{})
		if got := apierror.Reword(err, apierror.Caller{}); got == nil || !strings.Contains(got.Error(), test.want) || strings.Contains(got.Error(), "secret") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A server says no more than 401 of a login whose time is over.
func TestALoginThatHasExpiredIsNamed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
	}))
	t.Cleanup(server.Close)
	cert, key := certificate(t, time.Unix(86400, 0))
	token := func(claims string) *rest.Config {
		return &rest.Config{Host: server.URL, BearerToken: "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2VjcmV0"}
	}
	for name, test := range map[string]struct {
		config *rest.Config
		want   string
	}{
		"a client certificate": {&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CertData: cert, KeyData: key}}, "the client certificate in the kubeconfig /c expired on 1970-01-02 00:00 UTC. Log in again"},
		"a token":              {token(`{"exp":86400}`), "the token in the kubeconfig /c expired on 1970-01-02 00:00 UTC"},
		"a token that lasts":   {token(`{"exp":9999999999}`), "(401 Unauthorized)"},
		"a token of any kind":  {token(`[]`), "(401 Unauthorized)"},
		"no token of JSON":     {&rest.Config{Host: server.URL, BearerToken: "secret"}, "(401 Unauthorized)"},
	} {
		cluster.Patient(test.config)
		lister, err := cluster.NewNodeLister(test.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = lister.List(t.Context(), metav1.ListOptions{})
		words, _ := apierror.Describe(err, apierror.Caller{Kubeconfig: "/c"})
		if words.Kind != apierror.Unauthorized || !strings.Contains(words.String(), test.want) {
			t.Errorf("%s: %s (%s)", name, words, words.Kind)
		}
	}
}

// certificate is a client certificate until end, and its key.
func certificate(t *testing.T, end time.Time) (cert, key []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// A proxy's refusal is the proxy's, and its password stays unsaid.
func TestAProxyThatRefusesIsNamed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(proxy.Close)
	for address, want := range map[string]string{
		strings.Replace(proxy.URL, "http://", "http://ann:hunter2@", 1): "the proxy " + strings.TrimPrefix(proxy.URL, "http://") + " refuses the connection: Proxy Authentication Required",
		"http://127.0.0.1:1":       "the proxy does not answer: connection refused",
		"http://proxy.invalid:312": "the name of the proxy, proxy.invalid, cannot be resolved",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		config := &rest.Config{Host: "https://api.cluster.invalid:6443", Proxy: http.ProxyURL(u)}
		cluster.Patient(config)
		lister, err := cluster.NewNodeLister(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = lister.List(t.Context(), metav1.ListOptions{})
		words, _ := apierror.Describe(err, apierror.Caller{})
		if !strings.Contains(words.String(), want) || !strings.Contains(words.Remedy, "HTTPS_PROXY") || strings.Contains(words.String(), "hunter2") {
			t.Errorf("%s: %s", address, words)
		}
	}
}

func TestAnOverloadedServerIsAskedAgainWithTheSameBody(t *testing.T) {
	t.Parallel() // it waits
	client, url, asked := overloaded(t, 1, "0")
	response, err := client.Post(url, "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, _ := io.ReadAll(response.Body); string(body) != "body" || asked.Load() != 2 {
		t.Errorf("asked %d times, at last with %q", asked.Load(), body)
	}
}

// The end of patience is known before it is used up: nobody waits for it.
func TestALongerWaitThanAnybodyHasPatienceForIsRefusedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		seconds string
		within  time.Duration
	}{"an hour": {"3600", 0}, "longer than the request may take": {"20", 5 * time.Second}} {
		client, url, asked := overloaded(t, 9, test.seconds)
		ctx := t.Context()
		if test.within > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, test.within)
			defer cancel()
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		var e *apierror.OverloadedError
		if !errors.As(err, &e) || asked.Load() != 1 {
			t.Errorf("%s: %v, asked %d times", name, err, asked.Load())
		}
	}
}

func TestAnInterruptionEndsTheWait(t *testing.T) {
	client, url, asked := overloaded(t, 9, "20")
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		done <- err
	}()
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// An error without a time to come again is the caller's to judge.
func TestAnErrorOfTheServerIsHandedOn(t *testing.T) {
	client, url, asked := overloaded(t, 9, "soon")
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests || asked.Load() != 1 {
		t.Errorf("%s, asked %d times", response.Status, asked.Load())
	}
}
