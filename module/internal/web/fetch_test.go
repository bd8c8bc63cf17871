package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

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

func TestGettingCredentialsTakesItsOwnTime(t *testing.T) {
	s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) { serve(w, r) })
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	_, err = client(t, func(o *Options) { o.idle = 200 * time.Millisecond }).Fetch(context.Background(), Request{
		What: "x", URL: u, Max: int64(len(file)),
		Sign: func(context.Context, *http.Request) error {
			asked++
			time.Sleep(400 * time.Millisecond)
			return nil
		},
	})
	if err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestBytesComeAsTheyAreStored(t *testing.T) {
	s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("asked for %q", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("stored"))
	})
	if got, err := get(t, client(t, nil), s.URL); err != nil || string(got.Body) != "stored" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAServerThatAsksToWaitForLongIsNotWaitedFor(t *testing.T) {
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > 1 {
			t.Error("waited")
		}
		w.Header().Set("Retry-After", "61")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if _, err := getWithin(ctx, t, client(t, nil), s.URL); typed(t, err).Reason != outcome.SourceUnreachable {
		t.Error(err)
	}
}
