// Package store keeps what the supply controller has built: in ConfigMaps of the
// release's namespace, in a folder, in a bucket or in a registry.
//
// A store holds files that a signed list names by their digests; what it gives
// is held against that list. It knows nothing of Jobs or nodes.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Store is a place for modules that can also be emptied.
type Store interface {
	mirror.Destination
	// Open returns the file of e, with its digest checked.
	Open(ctx context.Context, e module.Entry) ([]byte, error)
	// Remove takes the file of e away, if it is there.
	Remove(ctx context.Context, e module.Entry) error
	// Room is how many modules the store takes in all; 0 is no bound.
	Room() int
}

// ErrFull means that a module does not fit into the store.
var ErrFull = errors.New("the store is full")

// ErrForeign means that something in the store is not what the controller has
// put there, and was left alone.
var ErrForeign = errors.New("not made by this controller")

// NewRemote opens the store of type url.
func NewRemote(c *supply.Config) (Store, error) {
	s := c.Supply.Store
	o := module.SourceOptions{
		URL: s.URL, Region: s.Region, Endpoint: s.Endpoint, PathStyle: s.PathStyle, CredentialsDir: supply.StoreCredentialsDir,
		DockerConfig: filepath.Join(supply.DockerConfigDir, ".dockerconfigjson"), CAFile: SourceCA(c),
		ProxyHTTP: c.Source.Proxy.HTTP, ProxyHTTPS: c.Source.Proxy.HTTPS, ProxyNo: c.Source.Proxy.No, UserAgent: supply.ManagedBy,
	}
	if strings.HasPrefix(s.URL, "s3://") {
		b, err := mirror.NewBucket(o)
		if err != nil {
			return nil, err
		}
		return bucket{b}, nil
	}
	if !strings.HasPrefix(s.URL, "oci://") {
		return nil, fmt.Errorf("invalid supply.store.url %q: must begin with s3:// or oci://", s.URL)
	}
	source, err := module.OpenSource(o)
	if err != nil {
		return nil, err
	}
	remote, err := image.NewRemote(image.RemoteOptions{DockerConfig: existing(o.DockerConfig), CAFile: o.CAFile})
	if err != nil {
		return nil, err
	}
	r, err := mirror.NewRegistry(s.URL, remote)
	if err != nil {
		return nil, err
	}
	return registry{r, source}, nil
}

// SourceCA is the file of source.caBundle, "" without one.
func SourceCA(c *supply.Config) string {
	return caFile(supply.SourceCADir, c.Source.CABundle)
}

func caFile(dir string, b valuesschema.CABundle) string {
	if b.ConfigMap == "" && b.Secret == "" {
		return ""
	}
	key := b.Key
	if key == "" {
		key = supply.DefaultCAKey
	}
	return filepath.Join(dir, key)
}

// BuilderCA is the file of supply.builder.caBundle, "" without one.
func BuilderCA(c *supply.Config) string {
	return caFile(supply.BuilderCADir, c.Supply.Builder.CABundle)
}

func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

type bucket struct{ *mirror.Bucket }

var _ Store = bucket{}

func (b bucket) Room() int { return 0 }

func (b bucket) Open(ctx context.Context, e module.Entry) ([]byte, error) {
	return checked(e)(b.Fetch(ctx, e.Path, e.Size))
}

func (b bucket) Remove(ctx context.Context, e module.Entry) error {
	return b.Bucket.Remove(ctx, e.Path)
}

type registry struct {
	*mirror.Registry
	source module.Source
}

var _ Store = registry{}

func (r registry) Room() int { return 0 }

func (r registry) Open(ctx context.Context, e module.Entry) ([]byte, error) {
	return checked(e)(r.source.Fetch(ctx, e.Path, e.Size))
}

// Remove leaves it to the registry's garbage collection to remove a blob that
// no tag names any more.
func (r registry) Remove(context.Context, module.Entry) error { return nil }

// Folder is a store on a volume.
type Folder struct {
	*mirror.Folder
	dir string
}

var _ Store = Folder{}

// NewFolder opens the store of type persistentVolumeClaim. It waits, as long as
// ctx lets it, for another process that has it open.
func NewFolder(ctx context.Context, dir string) (Folder, error) {
	f, err := mirror.NewFolder(ctx, dir)
	return Folder{f, dir}, err
}

// Room is without bound: the volume's size is its owner's.
func (f Folder) Room() int { return 0 }

// Open reads the file.
func (f Folder) Open(_ context.Context, e module.Entry) ([]byte, error) {
	data, err := os.ReadFile(f.path(e))
	return checked(e)(data, err)
}

// Remove deletes the file.
func (f Folder) Remove(_ context.Context, e module.Entry) error {
	if err := os.Remove(f.path(e)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (f Folder) path(e module.Entry) string {
	return filepath.Join(f.dir, filepath.FromSlash(e.Path))
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
