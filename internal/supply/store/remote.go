package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const (
	// patience is how long the controller waits for one answer of a bucket or
	// registry: meanwhile it does nothing else.
	patience = 30 * time.Second
	// reopen is how long credentials are used before their files are read again.
	reopen = 5 * time.Minute
	// trust is how long a file that was there is taken to be there still.
	trust = 10 * time.Minute
	// maxIndex bounds what is read of an index, in bytes.
	maxIndex = 4 << 20
)

// Dirs are where Secrets and the like are mounted; the zero value is where the
// chart mounts them.
type Dirs struct{ Credentials, DockerConfig, SourceCA, SourceProxy string }

// NewRemote returns the store of type url. Nothing is asked of it yet.
func NewRemote(c *supply.Config, dirs Dirs) (*Remote, error) {
	address := c.Supply.Store.URL
	if !strings.HasPrefix(address, "s3://") && !strings.HasPrefix(address, "oci://") {
		return nil, fmt.Errorf("invalid supply.store.url %q: must begin with s3:// or oci://", address)
	}
	if dirs == (Dirs{}) {
		dirs = Dirs{Credentials: supply.StoreCredentialsDir, DockerConfig: supply.DockerConfigDir, SourceCA: supply.SourceCADir, SourceProxy: supply.SourceProxyDir}
	}
	return &Remote{config: c, dirs: dirs, seen: map[string]time.Time{}}, nil
}

// Remote is a bucket or a registry that the controller writes and agents read.
// Its files of credentials are read from time to time, and after each failure:
// who corrects a Secret need not start the controller again.
type Remote struct {
	config *supply.Config
	dirs   Dirs

	mu     sync.Mutex
	now    backend
	opened time.Time
	// seen is when a file, by its digest, was there.
	seen map[string]time.Time
}

var _ Shown = (*Remote)(nil)

// backend is an opened bucket or registry.
type backend struct {
	mirror.Destination
	mirror.Watcher
	source module.Source
	remove func(ctx context.Context, path string) error
	// empty tells whether there was no index at Begin; false where it does not know.
	empty func() bool
}

// String is the URL, as agents have it.
func (r *Remote) String() string { return strings.TrimSuffix(r.config.Supply.Store.URL, "/") }

// Room is without bound.
func (r *Remote) Room() int { return 0 }

// Sequential is false.
func (r *Remote) Sequential() bool { return false }

// Close does nothing.
func (r *Remote) Close() error { return nil }

// Current asks for the index and its signature.
func (r *Remote) Current(ctx context.Context) (index, signature []byte, err error) {
	err = r.do(ctx, func(ctx context.Context, b backend) error {
		if err := b.Begin(ctx); err != nil || b.empty() {
			return err
		}
		var err error
		if index, err = b.source.Fetch(ctx, module.IndexName, maxIndex); errors.Is(err, module.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		signature, err = b.source.Fetch(ctx, module.SignatureName, maxIndex)
		if errors.Is(err, module.ErrNotFound) {
			return nil
		}
		return err
	})
	return index, signature, err
}

// Has asks for the file, unless it was there a short while ago.
func (r *Remote) Has(ctx context.Context, e module.Entry) (there bool, err error) {
	r.mu.Lock()
	at := r.seen[e.SHA256]
	r.mu.Unlock()
	if time.Since(at) < trust {
		return true, nil
	}
	err = r.do(ctx, func(ctx context.Context, b backend) (err error) {
		there, err = b.Has(ctx, e)
		return err
	})
	r.remember(e, there && err == nil)
	return there, err
}

func (r *Remote) remember(e module.Entry, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if there {
		r.seen[e.SHA256] = time.Now()
	} else {
		delete(r.seen, e.SHA256)
	}
}

// Put stores the file.
func (r *Remote) Put(ctx context.Context, e module.Entry, data []byte) error {
	err := r.do(ctx, func(ctx context.Context, b backend) error { return b.Put(ctx, e, data) })
	r.remember(e, err == nil)
	return err
}

// Publish makes the index the current one.
func (r *Remote) Publish(ctx context.Context, have []module.Entry, index, signature []byte) error {
	return r.do(ctx, func(ctx context.Context, b backend) error { return b.Publish(ctx, have, index, signature) })
}

// Open fetches the file.
func (r *Remote) Open(ctx context.Context, e module.Entry) (data []byte, err error) {
	err = r.do(ctx, func(ctx context.Context, b backend) (err error) {
		data, err = checked(e)(b.source.Fetch(ctx, e.Path, e.Size))
		return err
	})
	return data, err
}

// Remove deletes the file from a bucket. A registry's own garbage collection
// removes a blob that no tag names any more.
func (r *Remote) Remove(ctx context.Context, e module.Entry) error {
	r.remember(e, false)
	return r.do(ctx, func(ctx context.Context, b backend) error {
		if b.remove == nil {
			return nil
		}
		return b.remove(ctx, e.Path)
	})
}

// do asks the bucket or registry for something, and explains what it refuses.
func (r *Remote) do(ctx context.Context, ask func(context.Context, backend) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := r.backend()
	if err == nil {
		err = ask(ctx, b)
	}
	if err == nil {
		return nil
	}
	r.mu.Lock()
	r.opened = time.Time{}
	clear(r.seen) // what was there may be what is missing
	r.mu.Unlock()
	return r.explain(err)
}

func (r *Remote) backend() (backend, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.opened) < reopen {
		return r.now, nil
	}
	b, err := r.open()
	if err == nil {
		r.now, r.opened = b, time.Now()
	}
	return b, err
}

func (r *Remote) open() (backend, error) {
	s, proxy := r.config.Supply.Store, r.config.Source.Proxy
	o := module.SourceOptions{
		URL: s.URL, Region: s.Region, Endpoint: s.Endpoint, PathStyle: s.PathStyle, CredentialsDir: r.dirs.Credentials,
		CAFile: caFile(r.dirs.SourceCA, r.config.Source.CABundle), ProxyHTTP: proxy.HTTP, ProxyHTTPS: proxy.HTTPS, ProxyNo: proxy.No, ProxyCredentialsDir: r.dirs.SourceProxy,
		UserAgent: supply.ManagedBy,
	}
	if strings.HasPrefix(s.URL, "s3://") {
		b, err := mirror.NewBucket(o)
		if err != nil {
			return backend{}, err
		}
		return backend{b, b, b, b.Remove, func() bool { return false }}, nil
	}
	o.DockerConfig = existing(filepath.Join(r.dirs.DockerConfig, ".dockerconfigjson"))
	source, err := module.OpenSource(o)
	if err != nil {
		return backend{}, err
	}
	remote, err := image.NewRemote(image.RemoteOptions{
		DockerConfig: o.DockerConfig, CredentialsDir: o.CredentialsDir, CAFile: o.CAFile, UserAgent: o.UserAgent, Patience: patience,
		ProxyHTTP: proxy.HTTP, ProxyHTTPS: proxy.HTTPS, ProxyNo: proxy.No, ProxyCredentialsDir: o.ProxyCredentialsDir,
	})
	if err != nil {
		return backend{}, err
	}
	registry, err := mirror.NewRegistry(s.URL, remote)
	if err != nil {
		return backend{}, err
	}
	return backend{registry, registry, source, nil, registry.Empty}, nil
}

func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// explain says with values what the packages below say with those of a source,
// or with flags.
func (r *Remote) explain(err error) error {
	f := &failure{err: err, remedy: "Check supply.store.url, and that the controller's pod reaches it: egress, source.proxy, source.caBundle."}
	var of *module.Error
	answer, denied := image.Refusal(err)
	switch {
	case errors.Is(err, module.ErrBucketFull) || errors.Is(err, image.ErrFull):
		f.err = fmt.Errorf("%w: %w", ErrFull, err)
		f.why, f.remedy = r.String()+" is full", "Make room there, or raise its quota, or lower supply.keep."
		return f
	case errors.As(err, &of):
		f.why = of.What + ": " + of.Why
		if of.Why == "" && of.Err != nil {
			f.why = of.What + ": " + of.Err.Error()
		}
		denied = of.Reason == outcome.SourceForbidden
	case answer != "":
		f.why = strings.TrimSuffix(answer, " (HEAD responses have no body, use GET for details)")
	default:
		f.why = err.Error()
	}
	if denied {
		f.remedy = r.loginRemedy()
	}
	return f
}

func (r *Remote) loginRemedy() string {
	if strings.HasPrefix(r.String(), "s3://") {
		return "Name a Secret with accessKeyID and secretAccessKey in supply.store.credentialsSecret, or correct it, and allow its account s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there."
	}
	return "Name a Secret with username and password in supply.store.credentialsSecret, or one of type kubernetes.io/dockerconfigjson in imageRepoSecret, of an account that may push to this repository."
}

// checked holds a file against its entry.
func checked(e module.Entry) func([]byte, error) ([]byte, error) {
	return func(data []byte, err error) ([]byte, error) {
		if err == nil {
			err = mirror.Fits(e, data)
		}
		if err != nil {
			return nil, err
		}
		return data, nil
	}
}
