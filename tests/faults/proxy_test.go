package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// harm may answer a request in the server's place; false leaves it to the server.
// n counts the requests for the same path, from 1.
type harm func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool

// front starts a TLS server before the one at backend, which does harm to what
// passes. It leaves the Host header alone, since that is part of what S3 signs.
func front(t *testing.T, backend string, do harm) *httptest.Server {
	t.Helper()
	target, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	pass := &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	var mu sync.Mutex
	counts := map[string]int{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		counts[r.URL.Path]++
		n := counts[r.URL.Path]
		mu.Unlock()
		if do == nil || !do(n, w, r, pass) {
			pass.ServeHTTP(w, r)
		}
	}))
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// at limits harm to the file whose name ends so.
func at(suffix string, do harm) harm {
	return func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		name := r.URL.Path
		if file, ok := r.Context().Value(fileKey{}).(string); ok {
			name = file
		}
		return strings.HasSuffix(name, suffix) && do(n, w, r, server)
	}
}

// fileKey is where a request says which file of the repository it asks for, if
// its path does not.
type fileKey struct{}

// named says so of requests that end in a digest.
func named(files map[string][]byte, do harm) harm {
	if do == nil {
		return nil
	}
	byDigest := map[string]string{}
	for name, data := range files {
		byDigest[digest(data)] = name
	}
	return func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		if _, sum, ok := strings.Cut(r.URL.Path, "/blobs/sha256:"); ok && byDigest[sum] != "" {
			r = r.WithContext(context.WithValue(r.Context(), fileKey{}, byDigest[sum]))
		}
		return do(n, w, r, server)
	}
}

// status answers with code to the first requests for each file; to all if times
// is 0.
func status(code, times int) harm {
	return func(n int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if times > 0 && n > times {
			return false
		}
		w.WriteHeader(code)
		return true
	}
}

// text answers with something else.
func text(body string) harm {
	return func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		_, _ = io.WriteString(w, body)
		return true
	}
}

// answer is what the server says to r.
func answer(server http.Handler, r *http.Request) (http.Header, []byte) {
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, r)
	return recorder.Header(), recorder.Body.Bytes()
}

// announce sends a part of the file's bytes under a Content-Length of its own,
// and breaks the connection off if that is more.
func announce(part func(body []byte) []byte, length func(size int) int, times int) harm {
	return func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		if times > 0 && n > times {
			return false
		}
		whole := r.Clone(r.Context())
		header, body := answer(server, whole)
		for name, values := range header {
			w.Header()[name] = values
		}
		sent := part(body)
		w.Header().Set("Content-Length", strconv.Itoa(length(len(body))))
		if r.Header.Get("Range") != "" && header.Get("Content-Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(sent)
		if len(sent) < length(len(body)) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	}
}

func half(body []byte) []byte { return body[:len(body)/2] }
func all(body []byte) []byte  { return body }
func same(size int) int       { return size }
func halfLength(size int) int { return size / 2 }
func moreLength(size int) int { return size + 1000 }
func noRange(do harm) harm {
	return func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		r.Header.Del("Range")
		r.Header.Del("If-Range")
		return do(n, w, r, server)
	}
}

// forever sends chunks until the client has enough.
func forever(chunk []byte, pause time.Duration) harm {
	return func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				break
			}
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
		return true
	}
}

// stall sends the first half of a file and then nothing more.
func stall(_ int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
	header, body := answer(server, r)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(half(body))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	return true
}

// around sends the client back and forth.
func around(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	http.Redirect(w, r, r.URL.Path, http.StatusFound)
	return true
}

// plain sends the client to where TLS ends.
func plain(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	http.Redirect(w, r, "http://"+r.Host+r.URL.Path, http.StatusFound)
	return true
}

// toMetadata sends the client to where clouds tell machines their credentials.
func toMetadata(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	http.Redirect(w, r, "https://169.254.169.254/latest/meta-data/iam/security-credentials/", http.StatusFound)
	return true
}

// s3Error is what a bucket says when it cannot go on.
const s3Error = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>`

// partial answers with all of a file as if a part had been asked for.
func partial(_ int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
	r.Header.Del("Range")
	_, body := answer(server, r)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(body)-1, len(body)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(body)
	return true
}

// compressed is a proxy that compresses whatever passes.
func compressed(_ int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
	_, body := answer(server, r)
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	_, err := packed.Write(body)
	if err != nil || packed.Close() != nil {
		return false
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	_, _ = w.Write(out.Bytes())
	return true
}

// resuming sends the first half of a file and breaks the connection off; to those who
// ask for the rest it sends what rest says, and breaks off where that is less.
func resuming(rest func(n int, body []byte, from int) []byte) harm {
	var mu sync.Mutex
	var body []byte // as of the first request: the headers of later ones are signed
	return func(n int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		mu.Lock()
		defer mu.Unlock()
		if body == nil {
			_, body = answer(server, r)
		}
		w.Header().Set("ETag", `"one"`)
		from, sent := 0, half(body)
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			sent = rest(n, body, from)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(sent)
		if from+len(sent) < len(body) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		return true
	}
}

// dribbling sends a byte more with each resumption, and finds out whether anybody goes
// on taking them: the pauses between attempts grow, so there is time for few.
func dribbling(t *testing.T) harm {
	return resuming(func(n int, body []byte, from int) []byte {
		if n > 8 {
			t.Errorf("request %d, for one more byte each", n)
		}
		return body[from : from+1]
	})
}

// spliced continues with other bytes that it says are the rest.
func spliced(_ int, body []byte, from int) []byte { return make([]byte, len(body)-from) }

// trailers sends a file in pieces, and header fields behind it.
func trailers(_ int, w http.ResponseWriter, r *http.Request, server http.Handler) bool {
	_, body := answer(server, r)
	w.Header().Set("Trailer", "ETag, X-Checksum")
	_, _ = w.Write(half(body))
	w.(http.Flusher).Flush()
	_, _ = w.Write(body[len(body)/2:])
	w.Header().Set("ETag", `"another"`)
	w.Header().Set("X-Checksum", "0")
	return true
}

// hangUp breaks every connection off before it answers.
func hangUp(int, http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }

// bytesOf answers the first requests with other bytes; all if times is 0.
func bytesOf(data []byte, times int) harm {
	return func(n int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if times > 0 && n > times {
			return false
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return true
	}
}
