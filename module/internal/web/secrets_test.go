package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// A server that repeats what it was sent must not get it into a log.
func TestNoErrorHoldsASecretThatAServerRepeats(t *testing.T) {
	const password = "S3CR3T-password"
	for name, handle := range map[string]http.HandlerFunc{
		"in its answer": func(w http.ResponseWriter, r *http.Request) {
			_, sent, _ := r.BasicAuth()
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "no entry with "+sent+" or "+r.Header.Get("Authorization")+" for "+r.URL.RawQuery)
		},
		"in a redirect that is none": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://u:"+password+"@[::1/x")
			w.WriteHeader(http.StatusFound)
		},
	} {
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		u, err := url.Parse(s.URL + "/x?sig=" + password)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client(t, nil).Fetch(t.Context(), Request{What: "fetch", URL: u, Max: 10, Sign: func(_ context.Context, r *http.Request) error {
			r.SetBasicAuth("user", password)
			return nil
		}})
		if err == nil || strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "dXNlcj") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProxyGetsItsLoginAndTheServerDoesNot(t *testing.T) {
	var login, leaked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, leaked = r.Header.Get("Proxy-Authorization"), r.Header.Get("Authorization")
		if login != "Basic dXNlcjpwYXNzd29yZA==" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		_, _ = w.Write([]byte("ok"))
	}))
	t.Cleanup(proxy.Close)
	with := func(user, password string) *Client {
		return client(t, func(o *Options) { o.ProxyHTTP, o.ProxyUser, o.ProxyPassword = proxy.URL, user, password })
	}
	if r, err := get(t, with("user", "password"), "http://repository.example/index.json"); err != nil || string(r.Body) != "ok" || leaked != "" {
		t.Errorf("%v, %v, %q", r, err, leaked)
	}
	_, err := get(t, with("", ""), "http://repository.example/index.json")
	if e := typed(t, err); e.Reason != outcome.SourceForbidden {
		t.Errorf("without a login: %v", err)
	}
}
