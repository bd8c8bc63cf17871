package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
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
	if err := checkRedirect(r, []*http.Request{httptest.NewRequest(http.MethodGet, from, nil)}); err != nil {
		t.Fatal(err)
	}
	return r.Header.Get("Authorization") != ""
}
