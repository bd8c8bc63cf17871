package module_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// files serves files by path, with ranges and an ETag as buckets do.
func files(files map[string][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

func open(t *testing.T, o module.SourceOptions) module.Source {
	t.Helper()
	source, err := module.OpenSource(o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestGetOverTLSWithAPassword(t *testing.T) {
	r := repository(t, nil)
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"username": []byte("agent"), "password": []byte("secret\n")})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, password, _ := req.BasicAuth(); user != "agent" || password != "secret" || req.UserAgent() != "agent/1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.StripPrefix("/kernel-modules", files(r.Files)).ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	source := open(t, module.SourceOptions{URL: s.URL + "/kernel-modules/", CAFile: ca, CredentialsDir: dir, UserAgent: "agent/1"})
	if v, err := module.Get(context.Background(), source, request(r)); err != nil || v.Source != s.URL+"/kernel-modules/" || v.Proof != outcome.VerifiedSignature {
		t.Errorf("%+v, %v", v, err)
	}
	inURL := strings.Replace(s.URL, "https://", "https://agent:secret@", 1) + "/kernel-modules?sas=secret"
	source = open(t, module.SourceOptions{URL: inURL, CAFile: ca, UserAgent: "agent/1"})
	if v, err := module.Get(context.Background(), source, request(r)); err != nil || strings.Contains(v.Source, "secret") {
		t.Errorf("credentials in the URL: %+v, %v", v, err)
	}
	source = open(t, module.SourceOptions{URL: strings.Replace(inURL, "secret", "wrong", 1), CAFile: ca})
	if _, err := module.Get(context.Background(), source, request(r)); reason(err) != outcome.SourceForbidden || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("a wrong password: %v", err)
	}
}

// fault may answer the n-th request for a path; false leaves it to a good
// server.
type fault func(n int64, path string, w http.ResponseWriter, req *http.Request) bool

// forever answers for one path with chunk after chunk.
func forever(of string, chunk []byte, pause time.Duration) fault {
	return func(_ int64, path string, w http.ResponseWriter, req *http.Request) bool {
		for path == of && req.Context().Err() == nil {
			_, _ = w.Write(chunk)
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
		return path == of
	}
}

func TestGetOverAServerWithFaults(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{Padding: 200_000}, "zst").Sign()
	path := r.Index.Modules[0].Path
	good := files(r.Files)
	for name, test := range map[string]struct {
		fault fault
		want  outcome.Reason
	}{
		"503 for each file at first": {func(n int64, _ string, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, ""},
		"the module cut, then resumed": {func(n int64, p string, w http.ResponseWriter, req *http.Request) bool {
			if p != path || n > 2 {
				return false
			}
			w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(r.Files[path])))
			from := 0
			if n == 2 {
				if _, err := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-", &from); err != nil || from == 0 {
					t.Errorf("not resumed: %q", req.Header.Get("Range"))
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(r.Files[path])-1, len(r.Files[path])))
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(r.Files[path])-from))
			if n == 2 {
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = w.Write(r.Files[path][from : from+50_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, ""},
		"another module of the same size": {func(_ int64, p string, w http.ResponseWriter, _ *http.Request) bool {
			if p != path {
				return false
			}
			_, _ = w.Write(make([]byte, len(r.Files[path])))
			return true
		}, outcome.DigestMismatch},
		"an endless module": {forever(path, make([]byte, 4096), 0), outcome.TooLarge},
		"an endless index":  {forever(module.IndexName, make([]byte, mib), 0), outcome.TooLarge},
		"a drip":            {forever(path, []byte{0}, 10*time.Millisecond), outcome.SourceTimeout},
		"a login page": {func(_ int64, _ string, w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>Log in to the hotel's network</html>"))
			return true
		}, outcome.SourceInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counts := map[string]*atomic.Int64{module.IndexName: {}, module.SignatureName: {}, path: {}}
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				p := strings.TrimPrefix(req.URL.Path, "/")
				if !test.fault(counts[p].Add(1), p, w, req) {
					good(w, req)
				}
			}))
			// Only what has no end of its own is ended by time.
			patience := 5 * time.Minute
			if test.want == outcome.SourceTimeout {
				patience = time.Second
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			v, err := module.Get(ctx, open(t, module.SourceOptions{URL: url}), request(r))
			if reason(err) != test.want || (err == nil) != (test.want == "") {
				t.Fatal(err)
			}
			if err == nil && !bytes.Equal(v.Data, moduletest.KO{Padding: 200_000}.Bytes()) {
				t.Error("another module")
			}
		})
	}
}

func TestGetFromABucketThatSaysForbiddenForWhatItHasNot(t *testing.T) {
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "HOME"} {
		t.Setenv(key, "")
	}
	objects := map[string][]byte{
		"bucket/meta/versions.json":                   []byte(`["` + moduletest.Kernel + `"]`),
		"bucket/" + moduletest.Kernel + "/pf_ring.ko": moduletest.KO{}.Bytes(),
	}
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if objects[strings.TrimPrefix(req.URL.Path, "/")] == nil {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `<Error><Code>AccessDenied</Code></Error>`)
			return
		}
		files(objects)(w, req)
	}))
	source := open(t, module.SourceOptions{URL: "s3://bucket", Endpoint: url})
	q := module.Request{Kernel: moduletest.Kernel, Arch: "amd64", Verify: outcome.VerifiedNone}
	if v, err := module.Get(context.Background(), source, q); err != nil || v.Source != "s3://bucket" {
		t.Errorf("%+v, %v", v, err)
	}
	q.Verify = outcome.VerifiedSignature
	if _, err := module.Get(context.Background(), source, q); reason(err) != outcome.SourceUnsigned {
		t.Error(err)
	}
	clear(objects)
	if _, err := module.Get(context.Background(), source, q); reason(err) != outcome.SourceForbidden || !strings.Contains(err.Error(), "anonymous") {
		t.Error(err)
	}
}

func TestGetFromARegistry(t *testing.T) {
	r := repository(t, nil)
	served := map[string][]byte{}
	add := func(data []byte) string {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		served["v2/team/modules/blobs/"+digest] = data
		return digest
	}
	var layers []map[string]any
	for _, name := range []string{module.IndexName, module.SignatureName} {
		layers = append(layers, map[string]any{
			"digest": add(r.Files[name]), "size": len(r.Files[name]), "annotations": map[string]string{"org.opencontainers.image.title": name},
		})
	}
	digest := add(r.Files[r.Index.Modules[0].Path])
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "layers": layers})
	if err != nil {
		t.Fatal(err)
	}
	served["v2/team/modules/manifests/index"] = manifest
	host := strings.TrimPrefix(serve(t, files(served)), "http://")
	source := open(t, module.SourceOptions{URL: "oci://" + host + "/team/modules"})
	v, err := module.Get(context.Background(), source, request(r))
	if err != nil || v.Source != "oci://"+host+"/team/modules" || "sha256:"+v.SHA256 != digest {
		t.Errorf("%+v, %v", v, err)
	}
	delete(served, "v2/team/modules/blobs/"+digest)
	if _, err := module.Get(context.Background(), source, request(r)); reason(err) != outcome.NoModuleForKernel {
		t.Errorf("without the module: %v", err)
	}
	delete(served, "v2/team/modules/manifests/index")
	if _, err := module.Get(context.Background(), source, request(r)); reason(err) != outcome.SourceInvalid {
		t.Errorf("without the index: %v", err)
	}
}
