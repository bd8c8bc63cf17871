package mirror_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

// bucketServer is as much of S3 as a mirror needs. Conditions are those of AWS,
// or refused as by servers that have none.
func bucketServer(t *testing.T, conditions bool) *httptest.Server {
	t.Helper()
	refused := 0
	var mu sync.Mutex
	objects := map[string][]byte{}
	tag := func(data []byte) string {
		sum := sha256.Sum256(data)
		return `"` + hex.EncodeToString(sum[:8]) + `"`
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		data, there := objects[r.URL.Path]
		match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		switch {
		case r.Method == http.MethodPut && match+none != "" && !conditions:
			if refused++; refused > 2 {
				t.Errorf("a conditional write of %s, which the server does not support, is tried again", r.URL.Path)
			}
			w.WriteHeader(http.StatusNotImplemented)
		case r.Method == http.MethodPut && (none != "" && there || match != "" && match != tag(data)):
			w.WriteHeader(http.StatusPreconditionFailed)
		case r.Method == http.MethodPut:
			objects[r.URL.Path], _ = io.ReadAll(r.Body)
		case r.Method == http.MethodDelete:
			delete(objects, r.URL.Path)
		case !there:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", tag(data))
			_, _ = w.Write(data)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// Two writers that began with the same index: the second gets an error, and does not
// take the place of what it has not seen.
func TestOfTwoWritersTheSecondIsTold(t *testing.T) {
	r, dir := filled(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	bucket, old := bucketServer(t, true), bucketServer(t, false)
	inBucket := func(url string) func() (mirror.Destination, error) {
		return func() (mirror.Destination, error) {
			return mirror.NewBucket(module.SourceOptions{URL: "s3://modules/pf-ring", Endpoint: url})
		}
	}
	for name, c := range map[string]struct {
		open func() (mirror.Destination, error)
		told bool
	}{
		"bucket": {inBucket(bucket.URL), true},
		"registry": {func() (mirror.Destination, error) {
			remote, err := image.NewRemote(image.RemoteOptions{})
			if err != nil {
				return nil, err
			}
			return mirror.NewRegistry(strings.TrimPrefix(server.URL, "http://")+"/pf-ring", remote)
		}, true},
		"a bucket without conditions": {inBucket(old.URL), false},
	} {
		t.Run(name, func(t *testing.T) {
			first, err := c.open()
			if err != nil {
				t.Fatal(err)
			}
			second, err := c.open()
			if err != nil {
				t.Fatal(err)
			}
			if err := second.(mirror.Watcher).Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := mirror.Run(t.Context(), mirror.Options{Source: open(t, "file://"+dir), Request: signed(r)}, first); err != nil {
				t.Fatal(err)
			}
			err = second.Publish(t.Context(), nil, []byte(`{"other": true}`), []byte("signature"))
			if errors.Is(err, module.ErrChanged) != c.told || (err != nil) != c.told {
				t.Errorf("err = %v, told should be %v", err, c.told)
			}
		})
	}
}
