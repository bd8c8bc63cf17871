package controller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/decide"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// How often the module repository of the values is read, how soon again after a
// failure, and how long for.
const (
	sourceEvery   = 10 * time.Minute
	sourceAgain   = time.Minute
	sourceTimeout = time.Minute
)

// sourceWatch knows what the module repository of the values has. A nil one has
// nothing.
type sourceWatch struct {
	source  module.Source
	request module.Request
	poke    func()

	mu      sync.Mutex
	listing *module.Listing
	err     error
	asked   bool
}

// newSource opens the source of the values, nil if there is none.
func newSource(c *supply.Config, poke func()) (*sourceWatch, error) {
	s := c.Source
	if s.URL == "" {
		return nil, nil
	}
	source, err := module.OpenSource(module.SourceOptions{
		URL: s.URL, Region: s.Region, Endpoint: s.Endpoint, PathStyle: s.PathStyle, CredentialsDir: supply.SourceCredentialsDir,
		DockerConfig: filepath.Join(supply.DockerConfigDir, ".dockerconfigjson"), CAFile: store.SourceCA(c),
		ProxyHTTP: s.Proxy.HTTP, ProxyHTTPS: s.Proxy.HTTPS, ProxyNo: s.Proxy.No, ProxyCredentialsDir: supply.SourceProxyDir, UserAgent: supply.ManagedBy,
	})
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(s.PublicKeys)
	if s.PublicKeySecret != "" {
		keys = append(keys, filesOf(supply.SourceKeysDir)...)
	}
	return &sourceWatch{source: source, poke: poke, request: module.Request{
		Verify: outcome.Verified(s.Verify), PublicKeys: keys, MinSerial: s.MinSerial, Version: s.Version,
	}}, nil
}

// filesOf reads the files of a mounted Secret.
func filesOf(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var texts []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil { // #nosec G304 -- the chart's mount
			texts = append(texts, string(data))
		}
	}
	return texts
}

// Start reads the source until ctx ends.
func (w *sourceWatch) Start(ctx context.Context) error {
	pause := time.Duration(0)
	for wait.For(ctx, pause) == nil {
		pause = sourceEvery
		if w.read(ctx) != nil {
			pause = sourceAgain
		}
	}
	return nil
}

func (w *sourceWatch) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	listing, err := module.List(ctx, w.source, w.request)
	w.mu.Lock()
	w.asked, w.err = true, err
	if err == nil {
		// What was good once stays so while the source cannot be reached.
		w.listing = listing
	}
	w.mu.Unlock()
	w.poke()
	return err
}

// has tells whether the source has a module for a kernel.
func (w *sourceWatch) has(key decide.Key) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.listing == nil:
		return false
	case w.listing.Index == nil:
		return slices.Contains(w.listing.Releases, key.Kernel)
	}
	_, err := w.listing.Index.Find(key.Kernel, key.Arch, w.request.Version)
	return err == nil
}

// waiting tells whether the source has not answered yet, for the first time.
func (w *sourceWatch) waiting() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.asked
}

// problem says why the source cannot be read, "" if it can.
func (w *sourceWatch) problem() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return ""
	}
	if e := (*module.Error)(nil); errors.As(w.err, &e) && e.Why != "" {
		return e.Why
	}
	return w.err.Error()
}
