package probe_test

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

const (
	oldKernel = "5.10.0-28-amd64"
	newKernel = "6.1.0-18-amd64"
)

// files is a signed repository with PF_RING 8.9.0 for both kernels.
func files(t *testing.T, change func(*moduletest.Repository)) (dir, key string) {
	t.Helper()
	r := moduletest.NewRepository(t)
	for _, k := range []string{oldKernel, newKernel} {
		r.Add(moduletest.KO{Name: "pf_ring", Version: "8.9.0", Kernel: k, Arch: "amd64"}, "zst")
	}
	if change != nil {
		change(r)
	}
	dir = t.TempDir()
	r.Sign().Write(dir)
	return dir, r.PublicKey
}

// served serves a repository by TLS and returns the flags for it.
func served(t *testing.T, change func(*moduletest.Repository)) []string {
	t.Helper()
	dir, key := files(t, change)
	s := httptest.NewTLSServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return source(t, s.URL, key)
}

// source are flags for a repository whose certificate is the ConfigMap's.
func source(t *testing.T, url, key string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte(authority()), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--set", "tap.kernelModule.source.url=" + url, "--set", "tap.kernelModule.source.publicKeys[0]=" + key,
		"--set", "tap.kernelModule.source.caBundle.configMap=ca", "--ca-file", file,
	}
}

// authority is the certificate of every test server, in PEM.
var authority = sync.OnceValue(func() string {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
})

// locked serves a repository to whoever has the password.
func locked(t *testing.T) (url, key string) {
	t.Helper()
	dir, key := files(t, nil)
	serve := http.FileServer(http.Dir(dir))
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, key
}

// proxy passes every CONNECT on to one server, whatever name it is asked for,
// or refuses.
func proxy(t *testing.T, server string, refuses bool) (url string, passed *atomic.Int64) {
	t.Helper()
	passed = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		behind, err := net.Dial("tcp", server)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		passed.Add(1)
		w.WriteHeader(http.StatusOK)
		before, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = behind.Close()
			return
		}
		go func() {
			_, _ = io.Copy(behind, before)
			_ = behind.Close()
		}()
		_, _ = io.Copy(before, behind)
		_ = before.Close()
	}))
	t.Cleanup(s.Close)
	return s.URL, passed
}

// closed is an address on which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func host(url string) string {
	return strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://")
}
