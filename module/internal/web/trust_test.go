package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func tlsServer(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// bundle writes the server's certificate to a file.
func bundle(t *testing.T, s *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFetchTrustsTheBundleAndNothingUnknown(t *testing.T) {
	s := tlsServer(t, serve)
	if _, err := get(t, client(t, nil), s.URL); typed(t, err).Reason != outcome.SourceTLSUntrusted || !strings.Contains(err.Error(), "caBundle") {
		t.Errorf("unknown CA: %v", err)
	}
	trusting := client(t, func(o *Options) { o.CAFile = bundle(t, s) })
	if _, err := get(t, trusting, s.URL); err != nil {
		t.Errorf("trusted: %v", err)
	}
	otherName := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if _, err := get(t, trusting, otherName); typed(t, err).Reason != outcome.SourceTLSUntrusted || strings.Contains(err.Error(), "caBundle") || !strings.Contains(err.Error(), "name") {
		t.Errorf("a certificate for another name: %v", err)
	}
}

// What to do about a certificate depends on what is wrong with it.
func TestEachCauseOfDistrustHasItsRemedy(t *testing.T) {
	now := time.Now()
	for says, err := range map[string]error{
		"":      x509.UnknownAuthorityError{},
		"name":  x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"},
		"clock": x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}},
		"Renew": x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}},
		"again": x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign, Cert: &x509.Certificate{}},
	} {
		if got := trustRemedy(&tls.CertificateVerificationError{Err: err}); !strings.Contains(got, says) || (says == "") != (got == "") {
			t.Errorf("%v: %q, want %q in it", err, got, says)
		}
	}
}

func TestNewRefusesWhatItCannotUse(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options Options
		want    outcome.Reason
	}{
		"no bundle":    {Options{CAFile: empty + "-not"}, outcome.SourceTLSUntrusted},
		"empty bundle": {Options{CAFile: empty}, outcome.SourceTLSUntrusted},
		"proxy":        {Options{ProxyHTTPS: "http://user:secret@[::1"}, outcome.SourceUnreachable},
		"proxy host":   {Options{ProxyHTTP: "proxy:3128"}, outcome.SourceUnreachable},
	} {
		_, err := New(test.options)
		if e := typed(t, err); e.Reason != test.want || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFetchGoesThroughTheProxyUnlessTold(t *testing.T) {
	var mu sync.Mutex
	var proxied []string
	proxy := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		proxied = append(proxied, r.URL.String()+" "+r.Header.Get("Proxy-Authorization"))
		serve(w, r)
	})
	address := "http://user:pass@" + strings.TrimPrefix(proxy.URL, "http://")
	c := client(t, func(o *Options) { o.ProxyHTTP, o.ProxyNo = address, "direct.invalid" })
	if _, err := get(t, c, "http://repository.invalid/file"); err != nil {
		t.Error(err)
	}
	if _, err := get(t, c, "http://direct.invalid/file"); err == nil {
		t.Error("a host of no_proxy went through the proxy")
	}
	if len(proxied) != 1 || proxied[0] != "http://repository.invalid/file Basic dXNlcjpwYXNz" {
		t.Errorf("the proxy saw %q", proxied)
	}
}

func TestAProxyThatWantsAPasswordIsNamed(t *testing.T) {
	proxy := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	c := client(t, func(o *Options) { o.ProxyHTTPS = proxy.URL })
	if _, err := get(t, c, "https://repository.invalid/file"); typed(t, err).Reason != outcome.SourceForbidden || !strings.Contains(err.Error(), "source.proxy") {
		t.Error(err)
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	seen := map[string]http.Header{}
	record := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			seen[name] = r.Header.Clone()
			serve(w, r)
		}
	}
	elsewhere := httptest.NewServer(record("elsewhere"))
	t.Cleanup(elsewhere.Close)
	mux := http.NewServeMux()
	mux.Handle("/same", record("same"))
	mux.Handle("/to-same", http.RedirectHandler("/same", http.StatusTemporaryRedirect))
	mux.Handle("/to-elsewhere", http.RedirectHandler(elsewhere.URL+"/x?X-Amz-Signature=y", http.StatusTemporaryRedirect))
	origin := httptest.NewServer(mux)
	t.Cleanup(origin.Close)
	for _, path := range []string{"/to-same", "/to-elsewhere"} {
		u, err := url.Parse(origin.URL + path + "?sig=secret")
		if err != nil {
			t.Fatal(err)
		}
		_, err = client(t, nil).Fetch(context.Background(), Request{What: "x", URL: u, Max: 1 << 20, Sign: func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer secret")
			r.Header.Set("X-Amz-Security-Token", "secret")
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen["same"].Get("Authorization") == "" {
		t.Error("credentials were lost on the same host")
	}
	for name, values := range seen["elsewhere"] {
		if strings.Contains(strings.Join(values, ""), "secret") {
			t.Errorf("another host, on the same address with another port, got %s: %q", name, values)
		}
	}
	if len(seen["elsewhere"]) == 0 {
		t.Error("the redirect was not followed")
	}
}

func TestARedirectNeverLeavesTLS(t *testing.T) {
	plain := server(t, func(int, http.ResponseWriter, *http.Request) { t.Error("the plain server was asked") })
	s := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL+"?sig=secret", http.StatusFound)
	})
	_, err := get(t, client(t, func(o *Options) { o.CAFile = bundle(t, s) }), s.URL)
	if typed(t, err).Reason != outcome.SourceInvalid || !strings.Contains(err.Error(), "plain") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestDirectLeavesTheProxyOut(t *testing.T) {
	c := client(t, func(o *Options) { o.ProxyHTTP = "http://proxy.invalid:3128" })
	proxied, direct := c.http.Transport.(*http.Transport), c.Direct().http.Transport.(*http.Transport)
	if proxied.Proxy == nil || direct.Proxy != nil || direct.TLSClientConfig.MinVersion != proxied.TLSClientConfig.MinVersion {
		t.Errorf("proxied %v, direct %v", proxied.Proxy != nil, direct.Proxy != nil)
	}
}
