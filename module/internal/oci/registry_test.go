package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const kernel = "6.1.0-18+cloud"

// registry is a small registry with one repository, team/modules.
type registry struct {
	*httptest.Server
	files map[string][]byte // by path below /v2/team/modules/
	// enter is asked first; it answers what it refuses.
	enter func(w http.ResponseWriter, r *http.Request) bool
	asked []string
}

func newRegistry(t *testing.T) *registry {
	g := &registry{files: map[string][]byte{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked = append(g.asked, r.URL.Path)
	if g.enter != nil && !g.enter(w, r) {
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/team/modules/")
	data, found := g.files[path]
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
	case !found:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
	default:
		_, _ = w.Write(data)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"in its own words"}]}`, code)
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func (g *registry) blob(data []byte) descriptor {
	g.files["blobs/"+digest(data)] = data
	return descriptor{Digest: digest(data), Size: int64(len(data))}
}

func (g *registry) tag(t *testing.T, tag string, m manifest) descriptor {
	t.Helper()
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	g.files["manifests/"+digest(data)] = data
	if tag != "" {
		g.files["manifests/"+tag] = data
	}
	return descriptor{Digest: digest(data), Size: int64(len(data))}
}

// artifact publishes files under the tag index.
func (g *registry) artifact(t *testing.T, files ...string) {
	t.Helper()
	var m manifest
	for i := 0; i < len(files); i += 2 {
		d := g.blob([]byte(files[i+1]))
		d.Annotations = map[string]string{titleAnnotation: files[i]}
		m.Layers = append(m.Layers, d)
	}
	g.tag(t, indexTag, m)
}

func layer(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t *testing.T, g *registry, change func(*Options)) *Source {
	t.Helper()
	client, err := web.New(web.Options{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Registry: strings.TrimPrefix(g.URL, "http://"), Repository: "/team/modules", Client: client}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func reason(err error) outcome.Reason {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
