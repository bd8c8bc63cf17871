package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// file is what the servers here have.
var file = bytes.Repeat([]byte("0123456789abcdef"), 40_000)

// server answers with handle, which gets the number of the request from 1.
func server(t *testing.T, handle func(n int, w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(int(n.Add(1)), w, r) }))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, change func(*Options)) *Client {
	t.Helper()
	o := Options{Backoff: time.Millisecond, Idle: 300 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *Client, address string) (*Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return getWithin(ctx, t, c, address)
}

func getWithin(ctx context.Context, t *testing.T, c *Client, address string) (*Response, error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return c.Fetch(ctx, Request{What: "fetching the file", URL: u, Max: int64(len(file))})
}

// cut sends part of the body and breaks the connection.
func cut(w http.ResponseWriter, part []byte, length int) {
	w.Header().Set("Content-Length", strconv.Itoa(length))
	_, _ = w.Write(part)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// silent sends a part and then nothing until the client leaves.
func silent(w http.ResponseWriter, r *http.Request, part []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(part)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// serve is a good server with ranges.
func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(file))
}

func TestFetchOvercomesWhatPasses(t *testing.T) {
	const tag = `"one"`
	for name, test := range map[string]struct {
		handle   func(n int, w http.ResponseWriter, r *http.Request)
		requests int
	}{
		"503 three times": {func(n int, w http.ResponseWriter, r *http.Request) {
			if n <= 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			serve(w, r)
		}, 4},
		"500, 429 and a broken connection": {func(n int, w http.ResponseWriter, r *http.Request) {
			switch n {
			case 1:
				w.WriteHeader(http.StatusInternalServerError)
			case 2:
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			case 3:
				panic(http.ErrAbortHandler)
			default:
				serve(w, r)
			}
		}, 4},
		"cut and resumed, more often than attempts in a row": {func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			from := 0
			if h := r.Header.Get("Range"); h != "" {
				if _, err := fmt.Sscanf(h, "bytes=%d-", &from); err != nil || r.Header.Get("If-Range") != tag {
					t.Errorf("range %q of %q: %v", h, r.Header.Get("If-Range"), err)
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(file)-1, len(file)))
				w.Header().Set("Content-Length", strconv.Itoa(len(file)-from))
				w.WriteHeader(http.StatusPartialContent)
			}
			cut(w, file[from:min(len(file), from+50_000)], len(file)-from)
		}, 13},
		"cut where nothing can be resumed": {func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, file[:1000], len(file))
			}
			if r.Header.Get("Range") != "" {
				t.Error("resumed without a validator")
			}
			serve(w, r)
		}, 2},
		"changed while it was cut": {func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("ETag", `"before"`)
				cut(w, bytes.Repeat([]byte("x"), 1000), len(file))
			}
			w.Header().Set("ETag", tag)
			serve(w, r)
		}, 2},
		"changed, on a server that does not know If-Range": {func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			if n == 1 {
				w.Header().Set("ETag", `"before"`)
				cut(w, bytes.Repeat([]byte("x"), 1000), len(file))
			}
			r.Header.Del("If-Range")
			serve(w, r)
		}, 3},
		"a length that was too long": {func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			if n == 1 {
				cut(w, file, len(file)) // complete, but for the connection's end
			}
			serve(w, r)
		}, 1},
		"silence": {func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				silent(w, r, file[:100])
				return
			}
			serve(w, r)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			s := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.handle(n, w, r)
			})
			got, err := get(t, client(t, nil), s.URL)
			if err != nil || !bytes.Equal(got.Body, file) || requests.Load() != int64(test.requests) {
				t.Errorf("%d requests, want %d; %v", requests.Load(), test.requests, err)
			}
		})
	}
}

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
		"404":          {status(404, "no such thing"), outcome.SourceInvalid, "no such file", 1},
		"410":          {status(410, ""), outcome.SourceInvalid, "no such file", 1},
		"403":          {status(403, "<Error>secret details"), outcome.SourceForbidden, "403 Forbidden. ", 1},
		"401":          {status(401, "log in"), outcome.SourceForbidden, "401 Unauthorized: log in", 1},
		"400":          {status(400, ""), outcome.SourceInvalid, "400", 1},
		"500 for ever": {status(500, ""), outcome.SourceUnreachable, "500 Internal Server Error", attempts},
		"503 for ever": {status(503, ""), outcome.SourceUnreachable, "503", attempts},
		"304 unasked":  {status(304, ""), outcome.SourceInvalid, "304", 1},
		"part unasked": {status(206, "x"), outcome.SourceUnreachable, "does not continue", attempts},
		"waits too long": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "70")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, outcome.SourceUnreachable, "503", 1},
		"cut for ever":     {func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w, nil, len(file)) }, outcome.SourceUnreachable, "cut the connection", attempts},
		"silence for ever": {func(_ int, w http.ResponseWriter, r *http.Request) { silent(w, r, nil) }, outcome.SourceTimeout, "silent", attempts},
		"too long, told":   {func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w, nil, len(file)+1) }, outcome.TooLarge, "limit", 1},
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
			if notFound := test.says == "no such file"; errors.Is(err, fault.ErrNotFound) != notFound {
				t.Errorf("not found is %v", !notFound)
			}
		})
	}
}

func typed(t *testing.T, err error) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *fault.Error: %v", err)
	}
	return e
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

func TestFetchSaysWhoIsNotThere(t *testing.T) {
	closed := server(t, nil)
	closed.Close()
	for name, test := range map[string]struct{ address, says string }{
		"refused": {closed.URL, "refused"},
		"DNS":     {"http://no-such-host.invalid/", "no-such-host.invalid"},
		"no TLS":  {strings.Replace(server(t, func(_ int, w http.ResponseWriter, r *http.Request) { serve(w, r) }).URL, "http:", "https:", 1), "HTTP response to HTTPS"},
	} {
		_, err := get(t, client(t, nil), test.address)
		if e := typed(t, err); e.Reason != outcome.SourceUnreachable || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %s %v", name, e.Reason, err)
		}
	}
}

func TestRetryAfterReadsSecondsAndDates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "99999999": time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestDelayDoublesUpToABoundAndIsRandom(t *testing.T) {
	c := &Client{backoff: 100 * time.Millisecond}
	for failed, most := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 60: maxBackoff} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := c.delay(failed)
			if d < most/2 || d > most {
				t.Fatalf("after %d: %s, want %s to %s", failed, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d: only %d different waits of 50", failed, len(seen))
		}
	}
}
