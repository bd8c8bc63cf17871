package mirror

import (
	"context"
	"errors"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bucket is a destination in S3.
type Bucket struct {
	module.Bucket
	// version of the index at Begin; known is false where it may not be read.
	version string
	known   bool
}

var (
	_ Destination = (*Bucket)(nil)
	_ Watcher     = (*Bucket)(nil)
)

// NewBucket opens s3://BUCKET/PREFIX.
func NewBucket(o module.SourceOptions) (*Bucket, error) {
	b, err := module.OpenBucket(o)
	return &Bucket{Bucket: b}, err
}

// Begin asks for the version of the index. Who may only write is not told.
func (b *Bucket) Begin(ctx context.Context) error {
	var err error
	b.version, err = b.Version(ctx, module.IndexName)
	var e *module.Error
	if errors.As(err, &e) && e.Reason == outcome.SourceForbidden {
		return nil
	}
	b.known = err == nil
	return err
}

// Sequential is false.
func (b *Bucket) Sequential() bool { return false }

// Close does nothing: each object was put at once.
func (b *Bucket) Close() error { return nil }

// Has asks the server.
func (b *Bucket) Has(ctx context.Context, e module.Entry) (bool, error) {
	return b.Holds(ctx, e.Path, e.SHA256, e.Size)
}

// Put uploads the object.
func (b *Bucket) Put(ctx context.Context, e module.Entry, data []byte) error {
	return b.Bucket.Put(ctx, e.Path, data)
}

// Publish puts the index, if it takes the place of the one that was there, then
// the signature: a node that meets the new one with the old other fetches both
// once more.
func (b *Bucket) Publish(ctx context.Context, _ []module.Entry, index, signature []byte) error {
	var err error
	if b.known {
		err = b.PutOver(ctx, module.IndexName, b.version, index)
	} else {
		err = b.Bucket.Put(ctx, module.IndexName, index)
	}
	if err != nil {
		return err
	}
	if signature == nil {
		return b.Remove(ctx, module.SignatureName) // an old one would not fit the index
	}
	return b.Bucket.Put(ctx, module.SignatureName, signature)
}
