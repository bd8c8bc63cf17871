package image_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// faulty is a registry that answers some requests in its own way.
type faulty struct {
	*httptest.Server
	// answer returns true when it has answered.
	answer func(w http.ResponseWriter, r *http.Request) bool
	asked  atomic.Int64
}

func newFaulty(t *testing.T, answer func(w http.ResponseWriter, r *http.Request) bool) *faulty {
	t.Helper()
	f := &faulty{answer: answer}
	good := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if !f.answer(w, r) {
			good.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *faulty) store(t *testing.T, o image.RemoteOptions) *image.Store {
	t.Helper()
	remote, err := image.NewRemote(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := image.NewStore("oci://"+strings.TrimPrefix(f.URL, "http://")+"/pf-ring", remote)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// caFile has the server's certificate, as --ca-file takes it.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// silent keeps a request without an answer until the client goes away.
func silent(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestARegistryThatNeverTakesABlobIsGivenUp(t *testing.T) {
	f := newFaulty(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			silent(r)
			return true
		}
		return false
	})
	var mu sync.Mutex
	var told []string
	s := f.store(t, image.RemoteOptions{Idle: 50 * time.Millisecond, Patience: time.Second, Notify: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, text)
	}})
	err := s.Put(t.Context(), []byte("module"), image.ModuleType)
	if err == nil || !strings.Contains(err.Error(), "stopped responding for 50ms") || strings.Contains(err.Error(), "http://") {
		t.Errorf("err = %v", err)
	}
	if len(told) == 0 || !strings.Contains(told[0], "trying again") {
		t.Errorf("told: %q", told)
	}
}

func TestAnInterruptionEndsAPushAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFaulty(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			cancel()
			silent(r)
			return true
		}
		return false
	})
	// Were the interruption not heard, the test would take the idle time.
	err := f.store(t, image.RemoteOptions{Idle: time.Hour, Patience: 2 * time.Hour}).Put(ctx, []byte("module"), image.ModuleType)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

func TestRefusalsThatPassAreTriedAgain(t *testing.T) {
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError} {
			t.Run(method+" "+strconv.Itoa(status), func(t *testing.T) {
				var refused atomic.Int64
				f := newFaulty(t, func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == method && refused.Add(1) <= 2 {
						w.Header().Set("Retry-After", "0")
						w.WriteHeader(status)
						return true
					}
					return false
				})
				s := f.store(t, image.RemoteOptions{})
				if err := s.Put(t.Context(), []byte("module"), image.ModuleType); err != nil {
					t.Fatal(err)
				}
				if err := s.Tag(t.Context(), "index", []image.Stored{{Title: "index.json", Data: []byte("{}"), Type: image.IndexType}}); err != nil {
					t.Fatal(err)
				}
				if refused.Load() < 3 {
					t.Errorf("refused %d times", refused.Load())
				}
			})
		}
	}
}

func TestAnUploadWhoseEndWasNotHeardIsNoFailure(t *testing.T) {
	var dropped atomic.Bool
	good := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	f := newFaulty(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "uploads") || dropped.Swap(true) {
			return false
		}
		good.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.answer = func(inner func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if inner(w, r) {
				return true
			}
			good.ServeHTTP(w, r)
			return true
		}
	}(f.answer)
	if err := f.store(t, image.RemoteOptions{}).Put(t.Context(), []byte("module"), image.ModuleType); err != nil {
		t.Error(err)
	}
}

func TestALongRetryAfterIsNotWaitedFor(t *testing.T) {
	f := newFaulty(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	err := f.store(t, image.RemoteOptions{}).Put(t.Context(), []byte("module"), image.ModuleType)
	if err == nil || !strings.Contains(err.Error(), "asks to wait 1h0m0s") || !strings.Contains(err.Error(), "--request-timeout") {
		t.Errorf("err = %v", err)
	}
}

func TestWhatWouldFailAgainFailsAtOnce(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInsufficientStorage} {
		f := newFaulty(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				w.WriteHeader(status)
				return true
			}
			return false
		})
		before := time.Now()
		err := f.store(t, image.RemoteOptions{}).Put(t.Context(), []byte("module"), image.ModuleType)
		if err == nil || f.asked.Load() > 4 {
			t.Errorf("%d: err = %v after %d requests and %s", status, err, f.asked.Load(), time.Since(before))
		}
	}
}

// A registry that reads one body at a time: by HTTP/2, uploads at once would
// fill the window that they share and wait for each other.
func TestUploadsAtOnceToARegistryThatReadsOneByOne(t *testing.T) {
	var one sync.Mutex
	good := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		good.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	remote, err := image.NewRemote(image.RemoteOptions{CAFile: caFile(t, server), Idle: 5 * time.Second, Patience: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s, err := image.NewStore(strings.TrimPrefix(server.URL, "https://")+"/pf-ring", remote)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if err := s.Put(t.Context(), []byte(strings.Repeat(strconv.Itoa(n), 2<<20)), image.ModuleType); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
