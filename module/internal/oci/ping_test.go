package oci

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestPingTakesOnlyARegistrysAnswer(t *testing.T) {
	client, err := web.New(web.Options{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		reason outcome.Reason
		says   string
	}{
		"open": {func(http.ResponseWriter, *http.Request) {}, "", ""},
		"by password": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "", ""},
		"a token": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, "", ""},
		"refusing":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, outcome.SourceForbidden, "403"},
		"a web site": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, outcome.SourceInvalid, "not a registry"},
		"broken":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, outcome.SourceUnreachable, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				test.answer(w, r)
			}))
			defer s.Close()
			err := Ping(t.Context(), client, strings.TrimPrefix(s.URL, "http://"))
			checkPing(t, err, test.reason, test.says)
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkPing(t, Ping(t.Context(), client, l.Addr().String()), outcome.SourceUnreachable, "refused")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	checkPing(t, Ping(ctx, client, l.Addr().String()), outcome.SourceTimeout, "interrupted")
	checkPing(t, Ping(t.Context(), client, "no host"), outcome.SourceInvalid, "not the name of a registry")
}

func checkPing(t *testing.T, err error, reason outcome.Reason, says string) {
	t.Helper()
	e := (*fault.Error)(nil)
	switch {
	case reason == "" && err != nil:
		t.Error(err)
	case reason != "" && (!errors.As(err, &e) || e.Reason != reason || !strings.Contains(err.Error(), says)):
		t.Errorf("%v, want %s with %q", err, reason, says)
	case reason != "" && strings.Contains(err.Error(), "source."):
		t.Errorf("it speaks of the module repository: %v", err)
	}
}
