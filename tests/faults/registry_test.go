package faults

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Media types of OCI.
const (
	emptyType    = "application/vnd.oci.empty.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
	team         = "/v2/team/pf-ring/"
)

// descriptor names a blob in a manifest.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// pushIndex pushes a repository as docs/repository.md has it for registries.
func pushIndex(t *testing.T, registry string, files map[string][]byte) {
	t.Helper()
	var layers []descriptor
	for name, data := range files {
		layer := pushBlob(t, registry, "application/octet-stream", data)
		if name == module.IndexName || name == module.SignatureName {
			layer.Annotations = map[string]string{"org.opencontainers.image.title": name}
			layers = append(layers, layer)
		}
	}
	pushManifest(t, registry, "index", layers)
}

func pushBlob(t *testing.T, registry, kind string, data []byte) descriptor {
	t.Helper()
	d := descriptor{MediaType: kind, Digest: "sha256:" + digest(data), Size: len(data)}
	send(t, http.MethodPost, registry+team+"blobs/uploads/?digest="+d.Digest, "application/octet-stream", data)
	return d
}

func pushManifest(t *testing.T, registry, tag string, layers []descriptor) {
	t.Helper()
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": pushBlob(t, registry, emptyType, []byte("{}")), "layers": layers,
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, http.MethodPut, registry+team+"manifests/"+tag, manifestType, manifest)
}

func send(t *testing.T, method, url, kind string, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s %s %v", method, url, answer.Status, text, err)
	}
}

// historic are images of the historic layout, which have no index and prove
// nothing: source.verify is none for them.
func historic() []row {
	const mib = 1 << 20
	// image has one layer, which write fills.
	image := func(write func(t *testing.T, layer *tar.Writer, r *repository)) func(*testing.T, string, *repository) {
		return func(t *testing.T, registry string, r *repository) {
			var layer bytes.Buffer
			zipped := gzip.NewWriter(&layer)
			files := tar.NewWriter(zipped)
			write(t, files, r)
			if err := files.Close(); err != nil {
				t.Fatal(err)
			}
			if err := zipped.Close(); err != nil {
				t.Fatal(err)
			}
			pushManifest(t, registry, release, []descriptor{pushBlob(t, registry, layerType, layer.Bytes())})
		}
	}
	return []row{
		{name: "historic image with 100 MiB beside the module", want: outcome.Loaded, harm: noIndex, historic: image(func(t *testing.T, layer *tar.Writer, r *repository) {
			put(t, layer, "usr/lib/large", 100*mib, zeros{})
			put(t, layer, "opt/lib/modules/"+release+"/pf_ring.ko", len(r.module), bytes.NewReader(r.module))
		})},
		{name: "historic image that unpacks to 2 GiB", want: outcome.TooLarge, harm: noIndex, historic: func(t *testing.T, registry string, _ *repository) {
			pushManifest(t, registry, release, []descriptor{pushBlob(t, registry, layerType, bombed(t, 2<<30))})
		}},
		{name: "historic image with a module of 100 MiB", want: outcome.TooLarge, harm: noIndex, historic: image(func(t *testing.T, layer *tar.Writer, _ *repository) {
			put(t, layer, "opt/lib/modules/"+release+"/pf_ring.ko", 100*mib, zeros{})
		})},
		{name: "historic image with 100,000 files", want: outcome.NoModuleForKernel, harm: noIndex, historic: image(func(t *testing.T, layer *tar.Writer, _ *repository) {
			for i := range 100_000 {
				put(t, layer, fmt.Sprintf("opt/modules/pf-ring-5.10.0-%d.ko", i), 1, strings.NewReader("x"))
			}
		})},
		{name: "historic image with a layer without an end", want: outcome.TooLarge, harm: func(_ *testing.T, r *repository) harm {
			return func(n int, w http.ResponseWriter, request *http.Request, server http.Handler) bool {
				if strings.Contains(request.URL.Path, "/blobs/") {
					return forever(bytes.Repeat([]byte("a"), 1<<20), 0)(n, w, request, server)
				}
				return noIndex(nil, r)(n, w, request, server)
			}
		}, historic: image(func(t *testing.T, layer *tar.Writer, _ *repository) { put(t, layer, "x", 1, zeros{}) })},
	}
}

// bombed is a layer with one file of size bytes: the same compressed piece again
// and again.
func bombed(t *testing.T, size int64) []byte {
	t.Helper()
	zipped := func(write func(io.Writer) error) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if err := write(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	const piece = 32 << 20
	zero := zipped(func(w io.Writer) error {
		_, err := io.CopyN(w, zeros{}, piece)
		return err
	})
	layer := zipped(func(w io.Writer) error {
		return tar.NewWriter(w).WriteHeader(&tar.Header{Name: "usr/lib/large", Mode: 0o644, Size: size, Typeflag: tar.TypeReg})
	})
	return append(layer, bytes.Repeat(zero, int(size/piece))...)
}

// noIndex hides the index, so that the historic image is all there is.
func noIndex(*testing.T, *repository) harm {
	return at("/manifests/index", status(http.StatusNotFound, 0))
}

func put(t *testing.T, layer *tar.Writer, name string, size int, content io.Reader) {
	t.Helper()
	if err := layer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(size), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(layer, content, int64(size)); err != nil {
		t.Fatal(err)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
