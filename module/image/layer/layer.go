// Package layer writes layers of images: the same files give the same bytes, on
// any machine. What they are for is the business of those who make the image.
package layer

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// File is one of a layer, root's.
type File struct {
	// Name has no slash in front. Folders above it are made.
	Name string
	Mode int64
	Data []byte
	// Link makes it a symbolic link.
	Link string

	folder bool
}

// layer is a compressed layer in memory. Modules are some megabytes at most.
type layer struct {
	compressed, plain []byte
	digest, diffID    v1.Hash
	kind              types.MediaType
}

var _ v1.Layer = (*layer)(nil)

// New writes files, and the folders that they need, as root's and with one
// time, so that the same files give the same bytes.
func New(files []File, at time.Time, kind types.MediaType) (v1.Layer, error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, f := range withFolders(files) {
		h := &tar.Header{Name: f.Name, Mode: f.Mode, ModTime: at, Format: tar.FormatPAX, Size: int64(len(f.Data)), Typeflag: tar.TypeReg, Linkname: f.Link}
		switch {
		case f.Link != "":
			h.Typeflag = tar.TypeSymlink
		case f.folder:
			h.Typeflag, h.Name = tar.TypeDir, f.Name+"/"
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("cannot write the layer: %w", err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("cannot write the layer: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot write the layer: %w", err)
	}
	return compress(plain.Bytes(), kind)
}

func compress(plain []byte, kind types.MediaType) (*layer, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out) // without a name and a time
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("cannot compress the layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot compress the layer: %w", err)
	}
	return &layer{compressed: out.Bytes(), plain: plain, digest: hash(out.Bytes()), diffID: hash(plain), kind: kind}, nil
}

// withFolders adds the folders above files and sorts by name.
func withFolders(files []File) []File {
	byName := map[string]File{}
	for _, f := range files {
		byName[f.Name] = f
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			if _, there := byName[dir]; !there {
				byName[dir] = File{Name: dir, Mode: 0o755, folder: true}
			}
		}
	}
	all := make([]File, 0, len(byName))
	for _, f := range byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func hash(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func (l *layer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.diffID, nil }
func (l *layer) Size() (int64, error)                 { return int64(len(l.compressed)), nil }
func (l *layer) MediaType() (types.MediaType, error)  { return l.kind, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return reader(l.compressed), nil }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return reader(l.plain), nil }

func reader(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
