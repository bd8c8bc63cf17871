package main

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// served is a module repository on loopback, signed and served by HTTPS
// with a certificate of the cluster's CA.
type served struct {
	url, key string
	server   *http.Server
	done     chan error
}

// serveRepository fills dir with modules that say they are PF_RING for the
// kernels, and serves it.
func serveRepository(cluster *kube.Cluster, dir string) (*served, error) {
	key, err := fill(dir)
	if err != nil {
		return nil, err
	}
	cert, private, err := cluster.CA.Issue("module-repository", pkix.Name{CommonName: "module-repository"})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the repository: %w", err)
	}
	r := &served{
		url: "https://" + listener.Addr().String(), key: key, done: make(chan error, 1),
		server: &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second},
	}
	go func() { r.done <- r.server.ServeTLS(listener, cert, private) }()
	return r, nil
}

func (r *served) close() error {
	err := r.server.Close()
	if served := <-r.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// fill writes modules, index and signature, as `pfring module` would, and
// returns the public key.
func fill(dir string) (string, error) {
	for _, m := range inRepository() {
		file := filepath.Join(dir, "modules", m.arch, m.kernel, "pf_ring.ko")
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return "", fmt.Errorf("making the repository: %w", err)
		}
		if err := os.WriteFile(file, moduletest.KO{Kernel: m.kernel, Arch: m.arch}.Bytes(), 0o600); err != nil {
			return "", fmt.Errorf("filling the repository: %w", err)
		}
	}
	now := time.Now()
	if _, err := repository.Update(context.Background(), dir, repository.Options{Lifetime: 365 * 24 * time.Hour, Now: now}); err != nil {
		return "", err
	}
	// Beside the served folder, and without a password: it signs toys.
	file := dir + ".key"
	public, err := repository.NewKey(file, "")
	if err != nil {
		return "", err
	}
	key, err := repository.ReadKey(file, func() (string, error) { return "", nil })
	if err != nil {
		return "", err
	}
	_, err = repository.Sign(context.Background(), dir, key, now)
	return public, err
}
