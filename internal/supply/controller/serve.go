package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/trust"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// serving is the certificate that the server shows.
type serving struct {
	mu   sync.Mutex
	cert *tls.Certificate
	pair trust.Pair
}

// set takes another certificate; what cannot be used is left out.
func (s *serving) set(pair trust.Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(s.pair.Cert) == string(pair.Cert) {
		return
	}
	if cert, err := pair.TLS(); err == nil {
		s.cert, s.pair = &cert, pair
	}
}

// current is the pair that is shown; the zero value before there is one.
func (s *serving) current() trust.Pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pair
}

func (s *serving) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert == nil {
		return nil, errors.New("there is no certificate yet")
	}
	return s.cert, nil
}

// moduleServer gives agents the index and the modules, out of the cache: what is read
// from the API server once is not read again. It serves with and without the
// Lease.
type moduleServer struct {
	address   string
	names     supply.Names
	namespace string
	client    client.Reader
	live      client.Reader
	store     store.Store
	serving   *serving

	mu sync.Mutex
	// good is the newest index whose signature proved it.
	good    *corev1.ConfigMap
	version string
	entries map[string]module.Entry
}

// NeedLeaderElection says that each replica serves.
func (s *moduleServer) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (s *moduleServer) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("cannot serve modules: %w", err)
	}
	web := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.serving.get},
	}
	go s.load(ctx)
	ended := make(chan error, 1)
	go func() { ended <- web.ServeTLS(listener, "", "") }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return web.Shutdown(last)
}

// load reads the certificate that the leader has made, for replicas that are not the leader.
func (s *moduleServer) load(ctx context.Context) {
	pause := time.Second
	for {
		secret := &corev1.Secret{}
		if err := s.live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.names.CA}, secret); err == nil && len(secret.Data[corev1.TLSCertKey]) > 0 {
			s.serving.set(trust.Pair{Cert: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]})
			pause = time.Minute
		}
		if wait.For(ctx, pause) != nil {
			return
		}
	}
}

// ready says why agents are not served yet.
func (s *moduleServer) ready(r *http.Request) error {
	if _, err := s.serving.get(nil); err != nil {
		return err
	}
	_, err := s.index(r.Context())
	return err
}

// index is what is published. Where somebody has damaged or deleted it, it is what
// was published before, until the leader has written it again.
func (s *moduleServer) index(ctx context.Context) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.names.Index}, cm)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && (s.good == nil || s.good.ResourceVersion != cm.ResourceVersion) {
		if err = s.proved(ctx, cm); err == nil {
			s.good = cm
		}
	}
	if s.good == nil {
		return nil, fmt.Errorf("no index is published yet: %w", err)
	}
	return s.good, nil
}

// proved holds an index against the keys that agents have.
func (s *moduleServer) proved(ctx context.Context, cm *corev1.ConfigMap) error {
	public := &corev1.ConfigMap{}
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.names.Public}, public); err != nil {
		return fmt.Errorf("cannot read ConfigMap %s: %w", s.names.Public, err)
	}
	return module.VerifyIndex(cm.BinaryData[module.IndexName], cm.BinaryData[module.SignatureName], strings.Fields(public.Data[supply.PublicKeysKey]))
}

// ServeHTTP answers for the files of a module repository.
func (s *moduleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
		return
	}
	cm, err := s.index(r.Context())
	if err != nil {
		// Not 404: that would mean a repository of another kind.
		w.Header().Set("Retry-After", "2")
		http.Error(w, "no index is published yet", http.StatusServiceUnavailable)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch name {
	case module.IndexName, module.SignatureName:
		send(w, r, cm.BinaryData[name])
		return
	}
	e, found := s.entry(cm, name)
	if !found {
		http.NotFound(w, r)
		return
	}
	data, err := s.store.Open(r.Context(), e)
	if err != nil {
		http.Error(w, "the module cannot be read", http.StatusServiceUnavailable)
		return
	}
	send(w, r, data)
}

func send(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(data) // who has gone needs no answer
}

// entry finds a module of the store by its path.
func (s *moduleServer) entry(cm *corev1.ConfigMap, path string) (module.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != cm.ResourceVersion || s.entries == nil {
		s.version, s.entries = cm.ResourceVersion, map[string]module.Entry{}
		if all, err := module.ParseIndex(cm.BinaryData[supply.StoreListName]); err == nil {
			for _, e := range all.Modules {
				s.entries[e.Path] = e
			}
		}
	}
	e, found := s.entries[path]
	return e, found
}
