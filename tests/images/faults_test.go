package images_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

// dropping stands before a real registry and cuts connections off in the middle
// of uploads, while it is told to.
type dropping struct {
	host string
	on   atomic.Bool
	cut  atomic.Int32
}

func newDropping(t *testing.T, host string) *dropping {
	t.Helper()
	d := &dropping{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: host})
		r.Out.Host = r.In.Host // so that the registry's answers lead back here
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.on.Load() && strings.Contains(r.URL.Path, "/blobs/uploads/") && (r.Method == http.MethodPatch || r.Method == http.MethodPut) && r.ContentLength != 0 {
			d.cut.Add(1)
			_, _ = io.CopyN(io.Discard, r.Body, 10_000)
			panic(http.ErrAbortHandler)
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	d.host = strings.TrimPrefix(s.URL, "http://")
	return d
}

func TestAConnectionThatDropsInAnUploadLeavesTheOldUnderItsTag(t *testing.T) {
	d := newDropping(t, distribution(t))
	ref, source := d.host+"/a/pf-ring-module", "oci://"+d.host+"/b"
	was := strings.TrimSpace(mustRun(t, "module", "pack", save(t, moduletest.KO{Kernel: kernel}), "-o", ref, "--base", "scratch"))
	m := moduletest.NewRepository(t).Add(moduletest.KO{Kernel: kernel}, "zst").Sign()
	dir := t.TempDir()
	m.Write(dir)
	mustRun(t, "module", "push", dir, source)

	d.on.Store(true)
	newer := moduletest.KO{Kernel: kernel, Version: "8.10.0", Padding: 1 << 20}
	if _, _, err := pfring(t, "module", "pack", save(t, newer), "-o", ref, "--base", "scratch", "--request-timeout", "3s"); err == nil || !strings.Contains(err.Error(), "no tag was changed") {
		t.Errorf("pack: %v", err)
	}
	if digest, err := crane.Digest(ref + ":" + kernel); err != nil || !strings.HasSuffix(was, digest) {
		t.Errorf("the tag has %s, had %s (%v)", digest, was, err)
	}
	m.Add(newer, "zst").Sign()
	m.Write(dir)
	if _, _, err := pfring(t, "module", "push", dir, source, "--request-timeout", "3s"); err == nil {
		t.Error("push went through")
	}
	if err := get(t, source, m.PublicKey, kernel, "amd64"); err != nil {
		t.Errorf("the old repository: %v", err)
	}
	if d.cut.Load() < 2 {
		t.Errorf("%d uploads were cut", d.cut.Load())
	}

	d.on.Store(false)
	mustRun(t, "module", "pack", save(t, newer), "-o", ref, "--base", "scratch")
	mustRun(t, "module", "push", dir, source)
	if digest, err := crane.Digest(ref + ":" + kernel); err != nil || strings.HasSuffix(was, digest) {
		t.Errorf("the tag has %s still (%v)", digest, err)
	}
}

// What a source sends before it dies is not fetched twice.
func TestATarballGoesOnWhereItStopped(t *testing.T) {
	m := moduletest.NewRepository(t)
	for _, release := range []string{"6.1.0-1", "6.1.0-2", "6.1.0-3"} {
		m.Add(moduletest.KO{Kernel: release, Padding: 10_000}, "zst")
	}
	m.Sign()
	dir := t.TempDir()
	m.Write(dir)
	gone := filepath.Join(dir, "modules/amd64/6.1.0-3/8.9.0/pf_ring.ko.zst")
	kept := read(t, gone)
	if err := os.WriteFile(gone, kept[:len(kept)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	stick := filepath.Join(t.TempDir(), "stick.tar")
	if _, _, err := pfring(t, "module", "mirror", dir, stick, "--public-key", m.PublicKey); err == nil {
		t.Fatal("a cut module was taken")
	}
	if left := names(t, filepath.Dir(stick)); strings.Join(left, " ") != "stick.tar.part" {
		t.Errorf("left is %q", left)
	}
	// Only the third is there to be fetched now.
	for _, release := range []string{"6.1.0-1", "6.1.0-2"} {
		if err := os.Remove(filepath.Join(dir, "modules/amd64", release, "8.9.0/pf_ring.ko.zst")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(gone, kept, 0o644); err != nil {
		t.Fatal(err)
	}
	_, said, err := pfring(t, "module", "mirror", dir, stick, "--public-key", m.PublicKey)
	if err != nil || !strings.Contains(said, "3 modules, 1 new") {
		t.Fatalf("%v\n%s", err, said)
	}
	if left := names(t, filepath.Dir(stick)); strings.Join(left, " ") != "stick.tar" {
		t.Errorf("left is %q", left)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	mustRun(t, "module", "mirror", stick, copied, "--public-key", m.PublicKey)
	for _, release := range []string{"6.1.0-1", "6.1.0-2", "6.1.0-3"} {
		if err := get(t, "file://"+copied, m.PublicKey, release, "amd64"); err != nil {
			t.Error(err)
		}
	}
}

// A signature ends a module file; what is packed or indexed keeps it.
func TestASignedModuleStaysSigned(t *testing.T) {
	key := keyAndCertificate(t)
	ko := save(t, moduletest.KO{Kernel: kernel, Padding: 1000})
	unsigned := read(t, ko)
	mustRun(t, "module", "sign-kernel", ko, "--key", key, "--cert", key)
	signed := read(t, ko)
	if bytes.Equal(signed, unsigned) {
		t.Fatal("it was not signed")
	}
	host := distribution(t)
	mustRun(t, "module", "pack", ko, "-o", host+"/a", "--base", "scratch")
	image, err := crane.Pull(host + "/a:" + kernel)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unpack(t, image, dir)
	if got := read(t, filepath.Join(dir, "opt/lib/modules", kernel, "pf_ring.ko")); !bytes.Equal(got, signed) {
		t.Errorf("the image has %d bytes, signed were %d, unsigned %d", len(got), len(signed), len(unsigned))
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// names lists what is in a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
