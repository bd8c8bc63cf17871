package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Media types of a module repository in a registry.
const (
	repositoryType types.MediaType = "application/vnd.kubeshark.pfring.repository.v1+json"
	IndexType      types.MediaType = "application/vnd.kubeshark.pfring.index.v1+json"
	SignatureType  types.MediaType = "application/vnd.kubeshark.pfring.index.minisig"
	ModuleType     types.MediaType = "application/vnd.kubeshark.pfring.module"
)

// Store is a repository of a registry that holds files rather than images.
type Store struct {
	repository name.Repository
	remote     *Remote
}

// Stored is a file of an artifact. Without Data it is a blob that was put
// before.
type Stored struct {
	Title  string
	Data   []byte
	SHA256 string // hexadecimal
	Size   int64
	Type   types.MediaType
}

// NewStore opens [oci://]registry/repository.
func NewStore(repository string, r *Remote) (*Store, error) {
	parsed, err := r.repository(repository)
	if err != nil {
		return nil, err
	}
	return &Store{parsed, r}, nil
}

// String is the repository with oci:// before.
func (s *Store) String() string { return "oci://" + s.repository.Name() }

// Has tells whether a blob is there.
func (s *Store) Has(ctx context.Context, sha256 string) (bool, error) {
	l, err := s.remote.puller.Layer(patiently(ctx), s.repository.Digest("sha256:"+sha256))
	if err == nil {
		_, err = l.Size() // this asks the registry
	}
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, explain(err)
}

// Digest is what a tag leads to; "" is for no such tag.
func (s *Store) Digest(ctx context.Context, tag string) (string, error) {
	found, err := s.remote.puller.Head(patiently(ctx), s.repository.Tag(tag))
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return "", nil
	case err != nil:
		return "", explain(err)
	}
	return found.Digest.String(), nil
}

// Put uploads a blob.
func (s *Store) Put(ctx context.Context, data []byte, kind types.MediaType) error {
	return explain(s.remote.pusher.Upload(patiently(ctx), s.repository, static.NewLayer(data, kind)))
}

// Tag makes an artifact of files and moves the tag to it, once all is there.
func (s *Store) Tag(ctx context.Context, tag string, files []Stored) error {
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), repositoryType)
	var add []mutate.Addendum
	for _, f := range files {
		var l v1.Layer = &known{f}
		if f.Data != nil {
			l = static.NewLayer(f.Data, f.Type)
		}
		add = append(add, mutate.Addendum{Layer: l, MediaType: f.Type, Annotations: map[string]string{"org.opencontainers.image.title": f.Title}})
	}
	image, err := mutate.Append(artifact, add...)
	if err != nil {
		return fmt.Errorf("cannot make the artifact: %w", err)
	}
	return explain(s.remote.pusher.Push(patiently(ctx), s.repository.Tag(tag), image))
}

// known is a blob that the registry has; its content is not needed.
type known struct{ Stored }

var _ v1.Layer = (*known)(nil)

func (k *known) Digest() (v1.Hash, error)            { return v1.NewHash("sha256:" + k.SHA256) }
func (k *known) DiffID() (v1.Hash, error)            { return k.Digest() }
func (k *known) Size() (int64, error)                { return k.Stored.Size, nil }
func (k *known) MediaType() (types.MediaType, error) { return k.Type, nil }
func (k *known) Compressed() (io.ReadCloser, error) {
	return nil, fmt.Errorf("%s disappeared from the registry. Run the command again", k.Title)
}
func (k *known) Uncompressed() (io.ReadCloser, error) { return k.Compressed() }
