// Package store keeps what the supply controller has built: in ConfigMaps of the
// release's namespace, in a folder, in a bucket or in a registry.
//
// A store holds files that a signed list names by their digests; what it gives
// is held against that list. It knows nothing of Jobs or nodes.
package store

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
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
	// Room is how many modules the store takes in all; 0 means no bound.
	Room() int
}

// ErrFull means that a module does not fit into the store.
var ErrFull = errors.New("the store is full")

// failure is why a store does not do what it is asked to, in the words of the
// values.
type failure struct {
	// why is without the cause's own advice, which is for people at a terminal.
	why, remedy string
	err         error
}

func (f *failure) Error() string { return f.why }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// Remedy is what to do about an error of a store; "" if that is not known.
func Remedy(err error) string {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f.remedy
	}
	return ""
}

// Shown is a store whose index agents read there, so that others may have
// written it.
type Shown interface {
	Store
	// Current is the index and its signature that are there; nil for none. A
	// Publish after it fails with module.ErrChanged in the chain when somebody
	// else was faster, as far as the store can tell.
	Current(ctx context.Context) (index, signature []byte, err error)
}

// errForeign means that something in the store is not what the controller has
// put there, and was left alone.
var errForeign = errors.New("not made by this controller")

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
