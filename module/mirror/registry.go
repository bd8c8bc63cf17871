package mirror

import (
	"context"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// Registry is a destination in an OCI registry: modules are blobs, and the tag
// "index" is an artifact with the index, its signature and, so that the registry
// keeps them, all modules.
type Registry struct {
	store *image.Store
	// before is the digest of the index at Begin; watched says that there was one.
	before  string
	watched bool
}

var (
	_ Destination = (*Registry)(nil)
	_ Watcher     = (*Registry)(nil)
)

// NewRegistry opens [oci://]registry/repository.
func NewRegistry(repository string, r *image.Remote) (*Registry, error) {
	store, err := image.NewStore(repository, r)
	if err != nil {
		return nil, err
	}
	return &Registry{store: store}, nil
}

// String is the repository as source.url has it.
func (r *Registry) String() string { return r.store.String() }

// indexTag is the tag of the artifact that holds the index.
const indexTag = "index"

// Begin asks for the digest of the index.
func (r *Registry) Begin(ctx context.Context) (err error) {
	r.before, err = r.store.Digest(ctx, indexTag)
	r.watched = err == nil
	return err
}

// Empty tells whether there was no index at Begin. Registries do not know a
// repository that nothing has been pushed to.
func (r *Registry) Empty() bool { return r.watched && r.before == "" }

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

// Publish moves the tag. Registries know no conditions for that, so it looks just
// before: what it meets then is reported, and what comes within that moment is not.
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
	if r.watched {
		now, err := r.store.Digest(ctx, indexTag)
		if err != nil {
			return err
		}
		if now != r.before {
			return fmt.Errorf("%w. Run the command again", module.ErrChanged)
		}
	}
	return r.store.Tag(ctx, indexTag, files)
}
