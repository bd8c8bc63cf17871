package mirror

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// TarSource is a repository in a tarball, not compressed: its modules are.
type TarSource struct {
	file  *os.File
	parts map[string]part
}

type part struct{ at, size int64 }

var _ module.Source = (*TarSource)(nil)

// OpenTar reads the tarball's table of contents. Close it after use.
func OpenTar(path string) (*TarSource, error) { return openTar(path, false) }

// openTar also opens the beginning of a tarball, if cut is true.
func openTar(path string, cut bool) (*TarSource, error) {
	// A pipe would be waited for, and a tarball is read in any order.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot open the tarball %s: it is not a regular file", path)
	}
	file, err := os.Open(path) // #nosec G304 -- the caller's own file
	if err != nil {
		return nil, fmt.Errorf("cannot open the tarball: %w", err)
	}
	t := &TarSource{file: file, parts: map[string]part{}}
	for r := tar.NewReader(file); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || (cut && err != nil) {
			return t, nil //nolint:nilerr // of a tarball that was cut, what is whole counts
		}
		var at int64
		if err == nil {
			at, err = file.Seek(0, io.SeekCurrent)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot read %s (compressed tarballs must be unpacked first): %w", path, err), file.Close())
		}
		if h.Typeflag == tar.TypeReg {
			t.parts[h.Name] = part{at, h.Size}
		}
	}
}

// Close closes the file.
func (t *TarSource) Close() error { return t.file.Close() }

// String is the tarball's name.
func (t *TarSource) String() string { return t.file.Name() }

// Fetch reads a file of the tarball.
func (t *TarSource) Fetch(_ context.Context, path string, max int64) ([]byte, error) {
	fault := &module.Error{Reason: outcome.SourceInvalid, What: "read " + path, Where: t.String()}
	p, ok := t.parts[path]
	switch {
	case !ok:
		fault.Why, fault.Err = "the file does not exist in the tarball", module.ErrNotFound
		return nil, fault
	case p.size > max:
		fault.Reason, fault.Why = outcome.TooLarge, fmt.Sprintf("it has %d bytes, the limit is %d", p.size, max)
		return nil, fault
	}
	data := make([]byte, p.size)
	if _, err := t.file.ReadAt(data, p.at); err != nil {
		fault.Reason, fault.Err = outcome.Truncated, err
		return nil, fault
	}
	return data, nil
}

// Tarball is a destination: one file, for a USB stick. It is written again beside
// the old one, from which it takes what is the same, and replaces that at the
// end. What a run that failed has come to stays as PATH.part, for the next one.
type Tarball struct {
	path string
	// old are where files are taken over from: the tarball that there is, and
	// what a run before has left.
	old  []*TarSource
	file *atomicfile.File
	w    *tar.Writer
	// written counts the files in it, kept those of a part that is there.
	written, kept int
}

var _ Destination = (*Tarball)(nil)

// NewTarball begins a tarball.
func NewTarball(path string) (*Tarball, error) {
	path, err := atomicfile.Resolve(path)
	if err != nil {
		return nil, err
	}
	t := &Tarball{path: path}
	for name, cut := range map[string]bool{path: false, t.part(): true} {
		old, err := openTar(name, cut)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.old = append(t.old, old)
		if cut {
			t.kept = len(old.parts)
		}
	}
	if t.file, err = atomicfile.Create(path); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.w = tar.NewWriter(t.file)
	return t, nil
}

func (t *Tarball) part() string { return t.path + ".part" }

// String is the file's name.
func (t *Tarball) String() string { return t.path }

// Sequential is true: a tarball has an order, and the same modules shall give
// the same bytes.
func (t *Tarball) Sequential() bool { return true }

// Has takes the file over from an old tarball, if it is there.
func (t *Tarball) Has(ctx context.Context, e module.Entry) (bool, error) {
	for _, old := range t.old {
		if data, err := old.Fetch(ctx, e.Path, e.Size); err == nil && Fits(e, data) == nil {
			return true, t.put(e.Path, data)
		}
	}
	return false, nil
}

// Put appends the file.
func (t *Tarball) Put(_ context.Context, e module.Entry, data []byte) error {
	return t.put(e.Path, data)
}

func (t *Tarball) put(name string, data []byte) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Typeflag: tar.TypeReg}
	if err := t.w.WriteHeader(h); err != nil {
		return t.failed(err)
	}
	if _, err := t.w.Write(data); err != nil {
		return t.failed(err)
	}
	t.written++
	return nil
}

// failed is that the tarball could not be written; the file that is to become it is
// nothing to the reader.
func (t *Tarball) failed(err error) error {
	return &atomicfile.Error{Name: t.path, Err: readfile.Cause(err)}
}

// Publish ends the tarball with index and signature and puts it in its place.
func (t *Tarball) Publish(_ context.Context, _ []module.Entry, index, signature []byte) error {
	err := t.put(module.IndexName, index)
	if err == nil && signature != nil {
		err = t.put(module.SignatureName, signature)
	}
	if err != nil {
		return err
	}
	if err := t.w.Close(); err != nil {
		return t.failed(err)
	}
	file := t.file
	t.file = nil
	return errors.Join(file.Commit(0o644), removed(t.part()))
}

// Close keeps what was not published as a part, if it is more than there is.
func (t *Tarball) Close() error {
	var err error
	for _, old := range t.old {
		err = errors.Join(err, old.Close())
	}
	if t.file == nil {
		return err
	}
	if t.written > t.kept {
		return errors.Join(err, t.file.CommitAs(filepath.Base(t.part()), 0o644))
	}
	return errors.Join(err, t.file.Discard())
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
