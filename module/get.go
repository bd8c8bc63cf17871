package module

import (
	"context"
	"fmt"
	"slices"
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
	// KernelVersion is what uname -v prints; "" where that is not known.
	KernelVersion string
	// Version pins one; "" takes the highest.
	Version string
	// Verify is signature, checksum or none; "" is signature.
	Verify outcome.Verified
	// PublicKeys are minisign public keys, with or without their comment line;
	// any of them may have signed the index.
	PublicKeys []string
	// MinSerial refuses an older index.
	MinSerial int64
	// Seen is what was accepted before, by the key that signed it: an older index
	// or version than that is refused unless Version pins one.
	Seen map[string]Seen
	// ModuleName is the kernel's name of the module; "" is pf_ring.
	ModuleName string
	// Now is the clock for the index's expiry; nil is time.Now.
	Now func() time.Time
	// MaxSize bounds the module in bytes, compressed or not; 0 is
	// DefaultMaxSize.
	MaxSize int64
	// Memory bounds in bytes what Get holds at once; 0 means no bound of its own.
	Memory int64
	// Copy keeps what was fetched, for a time when the source is away; nil keeps
	// nothing.
	Copy *Copy
	// Answered is called when the source delivers something, perhaps more than once;
	// nil is not called.
	Answered func()
}

// Seen is the newest that a reader has accepted from one key.
type Seen struct {
	// Serial is that of the index.
	Serial int64 `json:"serial"`
	// Versions are those of the module, by kernel release.
	Versions map[string]string `json:"versions,omitempty"`
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
	// Serial is that of the index, Signer the key that signed it, in hexadecimal;
	// 0 and "" without one.
	Serial int64
	Signer string
	// FitsBy is the proof by which the module fits a kernel release other than
	// that which it was built for; "" where it was built for this one.
	FitsBy string
	// IndexExpires is when the index ends; zero if it does not, or if there is none.
	IndexExpires time.Time
	Warnings     []string
	// file is what the repository has, for a copy.
	file []byte
}

// Get finds the module for a kernel release and architecture in source,
// fetches it, and verifies it. It fails with *Error.
func Get(ctx context.Context, source Source, r Request) (*Verified, error) {
	start := time.Now()
	s, r := newSupply(source, r), r.withDefaults()
	v, err := get(ctx, s, r)
	if err != nil {
		return nil, located(err, source)
	}
	v.Source, v.Proof, v.FetchedBytes, v.FetchDuration = source.String(), r.Verify, s.bytes, time.Since(start)
	return v, nil
}

// get is index, entry, file, module, each from the one before.
func get(ctx context.Context, s *supply, r Request) (*Verified, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	index, err := readIndex(ctx, s, r, r.concerns)
	if historicMayBe(err) {
		return getHistoric(ctx, s, r, err)
	}
	if err != nil {
		return nil, err
	}
	entry, err := choose(index, r)
	if err != nil {
		return nil, err
	}
	data, warnings, err := fetchFile(ctx, s, r, entry)
	if mismatch(err) {
		// The file may have been replaced after the index was read.
		fresh, indexErr := readIndex(ctx, s, r, r.concerns)
		newer, findErr := choose(fresh, r)
		if indexErr != nil || findErr != nil || sameFile(newer, entry) {
			return nil, err
		}
		index, entry = fresh, newer
		data, warnings, err = fetchFile(ctx, s, r, entry)
	}
	if err != nil {
		return nil, err
	}
	v, err := accept(r, entry, data)
	if err != nil {
		return nil, err
	}
	v.IndexExpires, v.Serial, v.Signer = index.Expires, index.Serial, index.signer
	v.Warnings = slices.Concat(index.warnings, warnings, v.Warnings)
	return v, nil
}

// choose is the entry of the index that r asks for, unless it is older than what
// was accepted before.
func choose(index proved, r Request) (Entry, error) {
	entry, err := find(index.Modules, index.total, r.wanted())
	if err != nil {
		return Entry{}, err
	}
	before := r.Seen[index.signer].Versions[r.Kernel]
	if index.signer != "" && r.Version == "" && before != "" && CompareVersions(entry.Version, before) < 0 {
		return Entry{}, &Error{
			Reason: outcome.VersionRolledBack, What: "find the module",
			Why: fmt.Sprintf("its newest version for kernel %s is %s, and this node has accepted %s from the same key", r.Kernel, entry.Version, before),
		}
	}
	return entry, nil
}

// sameFile tells whether two entries name the same bytes.
func sameFile(a, b Entry) bool { return a.Path == b.Path && a.Size == b.Size && a.SHA256 == b.SHA256 }

// Choose reads the index of source as Get does, and returns the entry whose
// module Get would fetch. It fails with *Error.
func Choose(ctx context.Context, source Source, r Request) (Entry, *Index, error) {
	s, r := newSupply(source, r), r.withDefaults()
	index, err := readIndex(ctx, s, r, r.concerns)
	if err != nil {
		return Entry{}, nil, located(err, source)
	}
	entry, err := choose(index, r)
	if err != nil {
		return Entry{}, nil, located(err, source)
	}
	return entry, &index.Index, nil
}

// ReadIndex fetches the index of source and verifies it as r asks; r's kernel
// and architecture do not matter. It fails with *Error; ErrNotFound is in the
// chain when source has no index, which may mean a historic layout.
func ReadIndex(ctx context.Context, source Source, r Request) (*Index, error) {
	index, err := readIndex(ctx, newSupply(source, r), r.withDefaults(), nil)
	if err != nil {
		return nil, located(err, source)
	}
	return &index.Index, nil
}
