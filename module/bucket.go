package module

import (
	"context"
	"net/url"

	"github.com/kubeshark/kubeshark-pfring/module/internal/s3"
)

// Bucket is a repository in S3 that can be written to. Its methods fail with
// *Error, as Fetch does.
type Bucket interface {
	Source
	// Put stores a file at path, which is as Fetch's.
	Put(ctx context.Context, path string, data []byte) error
	// Holds tells whether the file at path has this sha256, in hex; size is how
	// many bytes such a file has.
	Holds(ctx context.Context, path, sha256 string, size int64) (bool, error)
	// Version identifies the content of the file at path; "" is for none.
	Version(ctx context.Context, path string) (string, error)
	// PutOver is Put over the file with this version, or over none if it is "". It
	// fails with ErrChanged in the chain when another one is there by now. Servers
	// that know no conditions for writing store the file anyway.
	PutOver(ctx context.Context, path, version string, data []byte) error
	// Remove deletes the file at path, if there is one.
	Remove(ctx context.Context, path string) error
}

var _ Bucket = (*s3.Source)(nil)

// ErrChanged is in the chain of an error of Bucket.PutOver when somebody else was
// faster.
var ErrChanged = s3.ErrChanged

// ErrBucketFull is in the chain of an error of a bucket that takes no more.
var ErrBucketFull = s3.ErrFull

// OpenBucket returns the bucket at o.URL, s3://BUCKET/PREFIX. It is apart from
// OpenSource so that the agent, which only reads, links nothing of it.
func OpenBucket(o SourceOptions) (Bucket, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "s3" || u.Hostname() == "" {
		return nil, badURL("", "must be s3://BUCKET/PREFIX")
	}
	bucket, err := o.bucket(u)
	if err != nil {
		return nil, err
	}
	return bucket, nil
}
