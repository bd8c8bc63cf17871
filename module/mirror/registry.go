package mirror

import (
	"context"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// Registry is a destination in an OCI registry: modules are blobs, and the tag
// "index" is an artifact with the index, its signature and, so that the registry
// keeps them, all modules.
type Registry struct{ store *image.Store }

var _ Destination = (*Registry)(nil)

// NewRegistry opens [oci://]registry/repository.
func NewRegistry(repository string, r *image.Remote) (*Registry, error) {
	store, err := image.NewStore(repository, r)
	if err != nil {
		return nil, err
	}
	return &Registry{store}, nil
}

// String is the repository as source.url has it.
func (r *Registry) String() string { return r.store.String() }

// Sequential is false.
func (r *Registry) Sequential() bool { return false }

// Close does nothing: each blob was put at once.
func (r *Registry) Close() error { return nil }

// Has asks the registry.
func (r *Registry) Has(ctx context.Context, e module.Entry) (bool, error) {
	return r.store.Has(ctx, e.SHA256)
}

// Put uploads the blob.
func (r *Registry) Put(ctx context.Context, _ module.Entry, data []byte) error {
	return r.store.Put(ctx, data, image.ModuleType)
}

// Publish moves the tag.
func (r *Registry) Publish(ctx context.Context, have []module.Entry, index, signature []byte) error {
	files := []image.Stored{{Title: module.IndexName, Data: index, Type: image.IndexType}}
	if signature != nil {
		files = append(files, image.Stored{Title: module.SignatureName, Data: signature, Type: image.SignatureType})
	}
	seen := map[string]bool{}
	for _, e := range have {
		if !seen[e.SHA256] {
			seen[e.SHA256] = true
			files = append(files, image.Stored{Title: e.Path, SHA256: e.SHA256, Size: e.Size, Type: image.ModuleType})
		}
	}
	return r.store.Tag(ctx, "index", files)
}
