package module

import (
	"context"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// DefaultMaxSize is how many bytes a module may have, compressed or not, unless
// a Request says otherwise. PF_RING has 1.5 to 2.2 MB with debug sections.
const DefaultMaxSize = 64 << 20

// Request says which module is wanted and what it has to pass.
type Request struct {
	// Kernel is what uname -r prints, Arch a GOARCH name.
	Kernel string
	Arch   string
	// Version pins one; "" takes the highest.
	Version string
	// Verify is signature, checksum or none; "" is signature.
	Verify outcome.Verified
	// PublicKeys are minisign public keys, with or without their comment line;
	// any of them may have signed the index.
	PublicKeys []string
	// MinSerial refuses an older index.
	MinSerial int64
	// ModuleName is the kernel's name of the module; "" is pf_ring.
	ModuleName string
	// Now is the clock for the index's expiry; nil is time.Now.
	Now func() time.Time
	// MaxSize bounds the module in bytes, compressed or not; 0 is
	// DefaultMaxSize.
	MaxSize int64
}

// Verified is a module that has passed what its Request asks for.
type Verified struct {
	// Data is the module, not compressed: the bytes to hand to the kernel.
	Data []byte
	Info Info
	// Entry is the index's; in a historic layout it is made from the file.
	Entry Entry
	// SHA256 is the digest, in hexadecimal, of the file in the repository.
	SHA256 string
	// Source is the repository's address, without secrets.
	Source string
	// Proof is what the module has passed.
	Proof outcome.Verified
	// FetchedBytes counts what was delivered, index and signature included.
	FetchedBytes  int64
	FetchDuration time.Duration
	// IndexExpires is when the index ends; zero if it does not, or if there is none.
	IndexExpires time.Time
	Warnings     []string
}

// Get finds the module for a kernel release and architecture in source,
// fetches it, and verifies it. It fails with *Error.
func Get(ctx context.Context, source Source, r Request) (*Verified, error) {
	return newGetting(source, r).run(ctx)
}

// ReadIndex fetches the index of source and verifies it as r asks; r's kernel
// and architecture do not matter. It fails with *Error; ErrNotFound is in the
// chain when source has no index, which may mean a historic layout.
func ReadIndex(ctx context.Context, source Source, r Request) (*Index, error) {
	g := newGetting(source, r)
	index, err := g.index(ctx)
	if err != nil {
		return nil, g.located(err)
	}
	return index, nil
}
