package mirror

import (
	"context"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// Bucket is a destination in S3.
type Bucket struct{ module.Bucket }

var _ Destination = Bucket{}

// NewBucket opens s3://BUCKET/PREFIX.
func NewBucket(o module.SourceOptions) (Bucket, error) {
	b, err := module.OpenBucket(o)
	return Bucket{b}, err
}

// Sequential is false.
func (b Bucket) Sequential() bool { return false }

// Close does nothing: each object was put at once.
func (b Bucket) Close() error { return nil }

// Has asks the server.
func (b Bucket) Has(ctx context.Context, e module.Entry) (bool, error) {
	return b.Holds(ctx, e.Path, e.SHA256, e.Size)
}

// Put uploads the object.
func (b Bucket) Put(ctx context.Context, e module.Entry, data []byte) error {
	return b.Bucket.Put(ctx, e.Path, data)
}

// Publish puts the signature, then the index: a node that meets the new one with
// the old other fetches both once more.
func (b Bucket) Publish(ctx context.Context, _ []module.Entry, index, signature []byte) error {
	var err error
	if signature == nil {
		err = b.Remove(ctx, module.SignatureName) // an old one would not fit the index
	} else {
		err = b.Bucket.Put(ctx, module.SignatureName, signature)
	}
	if err != nil {
		return err
	}
	return b.Bucket.Put(ctx, module.IndexName, index)
}
