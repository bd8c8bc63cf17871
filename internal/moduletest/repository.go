package moduletest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// Repository is a module repository that a test fills, changes and signs.
type Repository struct {
	Index module.Index
	// Files are what lies in it by path, index and signature after Sign.
	Files map[string][]byte
	// PublicKey is the line of base64 that verifies it.
	PublicKey string

	t   testing.TB
	key minisign.PrivateKey
}

// NewRepository returns an empty repository with a fresh key and serial 1.
func NewRepository(t testing.TB) *Repository {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	return &Repository{
		Index: module.Index{
			SchemaVersion: module.IndexSchemaVersion, Module: "pf_ring", Serial: 1,
			Created: now, Expires: now.Add(365 * 24 * time.Hour),
		},
		Files: map[string][]byte{}, PublicKey: public.String(), t: t, key: private,
	}
}

// Add puts a module into the repository, compressed as format says (raw, gz, xz
// or zst), and lists it in the index. Sign makes that take effect.
func (r *Repository) Add(k KO, format string) *Repository {
	r.t.Helper()
	k.setDefaults()
	return r.AddFile(k.Kernel, k.Arch, k.Version, k.Bytes(), format)
}

// AddFile is Add for any bytes, such as a real module's.
func (r *Repository) AddFile(kernel, arch, version string, ko []byte, format string) *Repository {
	r.t.Helper()
	data, extension := Compress(r.t, ko, format)
	sum, plain := sha256.Sum256(data), sha256.Sum256(ko)
	path := "modules/" + arch + "/" + kernel + "/" + version + "/pf_ring.ko" + extension
	r.Files[path] = data
	r.Index.Modules = append(r.Index.Modules, module.Entry{
		KernelRelease: kernel, Arch: arch, Version: version, Path: path,
		Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), ModuleSHA256: hex.EncodeToString(plain[:]),
	})
	return r
}

// Sign writes index and signature into Files.
func (r *Repository) Sign() *Repository {
	r.t.Helper()
	data, err := json.Marshal(r.Index)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Files[module.IndexName] = data
	return r.SignFiles()
}

// SignFiles writes the signature of the index in Files, whatever that is.
func (r *Repository) SignFiles() *Repository {
	r.t.Helper()
	data := r.Files[module.IndexName]
	hashed := minisign.NewReader(bytes.NewReader(data))
	if _, err := io.Copy(io.Discard, hashed); err != nil {
		r.t.Fatal(err)
	}
	r.Files[module.SignatureName] = hashed.Sign(r.key)
	return r
}

// Write puts Files into a folder.
func (r *Repository) Write(dir string) {
	r.t.Helper()
	WriteFiles(r.t, dir, r.Files)
}

// WriteFiles writes files, named by path with slashes, below dir.
func WriteFiles(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for path, data := range files {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Compress returns data in format raw, gz, xz or zst, and the format's file
// name extension.
func Compress(t testing.TB, data []byte, format string) (compressed []byte, extension string) {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case module.FormatRaw:
		return data, ""
	case module.FormatGz:
		w = gzip.NewWriter(&out)
	case module.FormatXz:
		w, err = xz.NewWriter(&out)
	case module.FormatZst:
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		// In one go, so that the file says its size as the zstd tool's does.
		return encoder.EncodeAll(data, nil), ".zst"
	default:
		t.Fatalf("no format %q", format)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), "." + format
}
