package module

import "time"

// Names of the two files at the root of a module repository.
const (
	IndexName     = "index.json"
	SignatureName = "index.json.minisig"
)

// IndexSchemaVersion is the version of the index that this package writes and
// the highest that it reads.
const IndexSchemaVersion = 1

// ExpiryWarning is how long before its end an index is reported as about to
// expire.
const ExpiryWarning = 14 * 24 * time.Hour

// Index lists what a module repository holds. It stands as index.json at the
// repository's root, signed by index.json.minisig beside it.
type Index struct {
	SchemaVersion int `json:"schemaVersion"`
	// Module is the kernel module's name, pf_ring.
	Module string `json:"module"`
	// Serial grows with each publication; a reader may refuse older ones.
	Serial int64 `json:"serial"`
	// Created and Expires are RFC 3339; a zero Expires never expires.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Modules []Entry   `json:"modules"`
}

// Entry is one module file; kernel release and version, vermagic, architecture and
// version together are unique in an index.
type Entry struct {
	// KernelRelease is what uname -r prints on the nodes that the module fits.
	KernelRelease string `json:"kernelRelease"`
	// Arch is a GOARCH name, amd64 or arm64.
	Arch    string `json:"arch"`
	Version string `json:"version"`
	// Path is relative to the repository's root, with slashes and without "..".
	Path string `json:"path"`
	// Size in bytes and SHA256 in lower-case hexadecimal are those of the file
	// at Path, compressed if it is.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Vermagic is the module's own version magic.
	Vermagic string `json:"vermagic"`
	// Signed says that a kernel module signature is appended.
	Signed bool `json:"signed"`
	// Compression is the format of the file at Path, as Format names it; ""
	// where the index was made before this field was.
	Compression string `json:"compression,omitempty"`
	// SrcVersion is modinfo's srcversion, the checksum of the module's sources.
	SrcVersion string `json:"srcversion,omitempty"`
	// ModuleSHA256 is the digest of the module itself, not compressed: that of one
	// build stays the same however it is compressed. "" where the index was made
	// before this field was.
	ModuleSHA256 string `json:"moduleSHA256,omitempty"`
	// KernelVersion is what uname -v prints on the nodes that the module fits:
	// it tells two builds of one kernel release apart. "" fits any.
	KernelVersion string `json:"kernelVersion,omitempty"`
	// Fits are further kernel releases that the module was proved to fit.
	Fits []Fit `json:"fits,omitempty"`
}

// Fit says that a module fits a kernel release other than the one that it was
// built for.
type Fit struct {
	KernelRelease string `json:"kernelRelease"`
	// Proof says how that is known; ProofSymvers is the only one that counts.
	Proof string `json:"proof"`
}

// ProofSymvers means that the checksums of all symbols that the module needs
// are those in the Module.symvers of the kernel release.
const ProofSymvers = "symvers"
