package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestFetchTellsWhatDoesNotPass(t *testing.T) {
	status := func(code int, body string) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, test := range map[string]struct {
		handle   func(n int, w http.ResponseWriter, r *http.Request)
		want     outcome.Reason
		says     string
		requests int
	}{
		"404":             {status(404, "no such thing"), outcome.SourceInvalid, "does not exist", 1},
		"410":             {status(410, ""), outcome.SourceInvalid, "does not exist", 1},
		"403":             {status(403, "<Error>secret details"), outcome.SourceForbidden, "403 Forbidden. ", 1},
		"a registry":      {status(401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`), outcome.SourceForbidden, "401 Unauthorized: authentication required. ", 1},
		"a token service": {status(401, `{"error":"invalid_grant","error_description":"the token is revoked"}`), outcome.SourceForbidden, "401 Unauthorized: the token is revoked. ", 1},
		"Docker Hub":      {status(401, `{"details":"incorrect username or password"}`), outcome.SourceForbidden, "401 Unauthorized: incorrect username or password. ", 1},
		"other JSON":      {status(403, `{"message":7}`), outcome.SourceForbidden, `403 Forbidden: {"message":7}. `, 1},
		"a full stop":     {status(403, "No."), outcome.SourceForbidden, "403 Forbidden: No. C", 1},
		"401":             {status(401, "log in"), outcome.SourceForbidden, "401 Unauthorized: log in", 1},
		"400":             {status(400, ""), outcome.SourceInvalid, "400", 1},
		"500 without end": {status(500, ""), outcome.SourceUnreachable, "500 Internal Server Error", attempts},
		"503 without end": {status(503, ""), outcome.SourceUnreachable, "503", attempts},
		"304 unasked":     {status(304, ""), outcome.SourceInvalid, "304", 1},
		"part unasked":    {status(206, "x"), outcome.SourceInvalid, "does not continue", attempts},
		"waits too long": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "70")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, outcome.SourceUnreachable, "503", 1},
		"cut without end": {func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w, nil, len(file)) }, outcome.SourceUnreachable, "closed the connection", attempts},
		"a byte more with each resumption": {func(n int, w http.ResponseWriter, r *http.Request) {
			from := 0
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err != nil && n > 1 {
				t.Errorf("request %d has the range %q: %v", n, r.Header.Get("Range"), err)
			}
			w.Header().Set("ETag", `"one"`)
			if from == 0 {
				cut(w, file[:len(file)/2], len(file))
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(file)-1, len(file)))
			w.Header().Set("Content-Length", strconv.Itoa(len(file)-from))
			w.WriteHeader(http.StatusPartialContent)
			cut(w, file[from:from+1], len(file)-from)
		}, outcome.SourceUnreachable, "closed the connection", attempts},
		"cut a byte later each time, and nothing can be resumed": {func(n int, w http.ResponseWriter, _ *http.Request) {
			cut(w, file[:10_000+n], len(file))
		}, outcome.SourceUnreachable, "closed the connection", attempts},
		"cut here and there, and nothing can be resumed": {func(n int, w http.ResponseWriter, _ *http.Request) {
			cut(w, file[:10_000+n%2*Progress], len(file))
		}, outcome.SourceUnreachable, "closed the connection", attempts},
		"a few bytes now and then": {func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(file[:16])
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, outcome.SourceTimeout, "the server ", attempts},
		"silence without end": {func(_ int, w http.ResponseWriter, r *http.Request) { silent(w, r, nil) }, outcome.SourceTimeout, "stopped responding", attempts},
		"too long, told":      {func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w, nil, len(file)+1) }, outcome.TooLarge, "limit", 1},
		"endless": {func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(file)
			}
		}, outcome.TooLarge, "more than", 1},
		"redirect loop": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again?token=secret", http.StatusFound)
		}, outcome.SourceInvalid, "redirect refused", maxRedirects + 1},
		"redirect to a file": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, outcome.SourceInvalid, "scheme", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			s := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.handle(n, w, r)
			})
			_, err := get(t, client(t, nil), s.URL+"/file?sig=secret")
			e := typed(t, err)
			if e.Reason != test.want || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", e.Reason, err)
			}
			if requests.Load() != int64(test.requests) {
				t.Errorf("%d requests, want %d", requests.Load(), test.requests)
			}
			if notFound := test.says == "does not exist"; errors.Is(err, fault.ErrNotFound) != notFound {
				t.Errorf("not found is %v", !notFound)
			}
		})
	}
}

func TestFetchEndsWithItsDeadline(t *testing.T) {
	for name, handle := range map[string]func(int, http.ResponseWriter, *http.Request){
		"slow drip": func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		},
		"no answer": func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, handle)
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_, err := getWithin(ctx, t, client(t, nil), s.URL)
			if e := typed(t, err); e.Reason != outcome.SourceTimeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
}

func TestADeadlineInALaterAttemptLeavesTheFirstCause(t *testing.T) {
	s := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	patient := client(t, nil)
	patient.idle = time.Hour
	_, err := getWithin(ctx, t, patient, s.URL)
	if e := typed(t, err); e.Reason != outcome.SourceUnreachable || !strings.Contains(err.Error(), "502") {
		t.Errorf("%s: %v", e.Reason, err)
	}
}

// A person does not wait for a name that DNS says does not exist; a node does, which
// may be starting.
func TestAnUnknownHostIsFinalForAPerson(t *testing.T) {
	for final, want := range map[bool]int{true: 0, false: attempts - 1} {
		var log bytes.Buffer
		c, err := New(Options{Backoff: time.Nanosecond, UnknownHostFinal: final, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "modules.example.com", IsNotFound: true}
		}
		_, err = get(t, c, "http://modules.example.com/")
		if e := typed(t, err); e.Reason != outcome.SourceUnreachable || strings.Count(log.String(), "trying again") != want {
			t.Errorf("final %v: %v\n%s", final, err, log.String())
		}
	}
}

func TestFetchSaysWhoIsNotThere(t *testing.T) {
	closed := server(t, nil)
	closed.Close()
	for name, test := range map[string]struct{ address, says string }{
		"refused": {closed.URL, "refused"},
		"DNS":     {"http://no-such-host.invalid/", "no-such-host.invalid"},
		"no TLS":  {strings.Replace(server(t, func(_ int, w http.ResponseWriter, r *http.Request) { serve(w, r) }).URL, "http:", "https:", 1), "speaks http, not https"},
	} {
		_, err := get(t, client(t, nil), test.address)
		if e := typed(t, err); e.Reason != outcome.SourceUnreachable || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %s %v", name, e.Reason, err)
		}
	}
}
