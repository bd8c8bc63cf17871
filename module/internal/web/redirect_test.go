package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	for to, kept := range map[string]bool{
		"https://a.example/b":      true,
		"https://a.example:8443/b": false,
		"https://b.a.example/b":    false,
		"https://b.example/b":      false,
	} {
		if got := redirected(t, "https://a.example/a", to); got != kept {
			t.Errorf("from https://a.example to %s: credentials kept = %t, want %t", to, got, kept)
		}
	}
	// Another scheme is another origin, with the same host too.
	if redirected(t, "http://a.example/a", "https://a.example/b") {
		t.Error("from http to https: the credentials were kept")
	}
}

func redirected(t *testing.T, from, to string) bool {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, to, nil)
	r.Header.Set("Authorization", "Bearer token")
	if err := client(t, nil).checkRedirect(r, []*http.Request{httptest.NewRequest(http.MethodGet, from, nil)}); err != nil {
		t.Fatal(err)
	}
	return r.Header.Get("Authorization") != ""
}

// A repository must not make a node ask where its cloud gives out credentials.
func TestNoServerLeadsToACloudsMetadata(t *testing.T) {
	for _, to := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://[fe80::a9fe:a9fe]/", "http://[::ffff:169.254.169.254]/", "http://168.63.129.16/",
		"http://100.100.100.200/", "http://[fd00:ec2::254]/latest/", "http://[fd20:ce::254]/",
	} {
		s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		if _, err := get(t, client(t, nil), s.URL); typed(t, err).Reason != outcome.SourceInvalid || !strings.Contains(err.Error(), "credentials") {
			t.Errorf("redirected to %s: %v", to, err)
		}
	}
	u, err := url.Parse("http://169.254.169.254/token")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client(t, nil).Fetch(t.Context(), Request{What: "get a token", URL: u, Max: 100, Given: true})
	if typed(t, err).Reason != outcome.SourceInvalid || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("given as a token service: %v", err)
	}
}

// A name that stands for such an address is refused when it is connected to.
func TestANameThatStandsForACloudsMetadataIsRefused(t *testing.T) {
	ctx := context.WithValue(t.Context(), guarded{}, true)
	for address, refused := range map[string]bool{"169.254.169.254:80": true, "[fe80::1%eth0]:80": true, "127.0.0.1:80": false, "10.0.0.1:443": false} {
		if err := dialing(ctx, "tcp", address, nil); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
		if err := dialing(t.Context(), "tcp", address, nil); err != nil {
			t.Errorf("%s, which the values name: %v", address, err)
		}
	}
	// Through a proxy the address is the proxy's, which may be link-local.
	r := httptest.NewRequest(http.MethodGet, "http://modules.example.com/", nil)
	if err := client(t, func(o *Options) { o.ProxyHTTP = "http://169.254.20.10:3128" }).guard(r); err != nil || r.Context().Value(guarded{}) != nil {
		t.Errorf("through a proxy: %v, guarded %v", err, r.Context().Value(guarded{}))
	}
	if err := client(t, nil).guard(r); err != nil || r.Context().Value(guarded{}) == nil {
		t.Errorf("without one: %v", err)
	}
}
