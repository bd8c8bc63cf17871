package module

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/module/internal/folder"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
)

// Copy keeps what one Get has used in a folder, as a repository of that one
// module: index and signature as they came, and the file. It proves itself as
// its original does, each time that it is read, so nobody has to trust the
// folder. A Copy serves one Get.
type Copy struct {
	dir   string
	file  *os.File
	w     *bufio.Writer
	sign  []byte
	fault error
}

// The folders of a copy: one is being written while the other stands, and is
// complete when it takes the other's place.
const (
	copyNew     = "new"
	copyCurrent = "current"
	copyOld     = "old"
)

// NewCopy returns a copy in dir, which is made when something is kept.
func NewCopy(dir string) *Copy {
	settle(dir)
	return &Copy{dir: dir}
}

// OpenCopy returns the repository that Commit has left in dir.
func OpenCopy(dir string) Source {
	settle(dir)
	return folder.Open(filepath.Join(dir, copyCurrent))
}

// settle ends a Commit that was killed between its two steps: what is new was
// complete then. What cannot be settled is not used.
func settle(dir string) {
	current, old := filepath.Join(dir, copyCurrent), filepath.Join(dir, copyOld)
	if _, err := os.Stat(current); err == nil {
		return
	}
	if _, err := os.Stat(old); err == nil && os.Rename(filepath.Join(dir, copyNew), current) != nil {
		_ = os.Rename(old, current)
	}
}

// HasCopy tells whether there is one in dir.
func HasCopy(dir string) bool {
	settle(dir)
	_, err := os.Stat(filepath.Join(dir, copyCurrent))
	return err == nil
}

// index takes the index as it comes.
func (c *Copy) index() stream.Sink {
	if c == nil {
		return stream.Discard
	}
	c.start()
	return stream.Of(c, c.start)
}

// start begins the index, also a second time.
func (c *Copy) start() {
	c.discard()
	c.fault = os.RemoveAll(filepath.Join(c.dir, copyNew)) // of an agent that was killed
	if c.fault == nil {
		c.fault = os.MkdirAll(filepath.Join(c.dir, copyNew), 0o700)
	}
	if c.fault == nil {
		c.file, c.fault = os.OpenFile(c.path(IndexName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	}
	if c.fault == nil {
		c.w = bufio.NewWriter(c.file)
	}
}

func (c *Copy) path(name string) string {
	return filepath.Join(c.dir, copyNew, filepath.FromSlash(name))
}

// Write takes a part of the index. That it cannot be kept, Commit tells: the
// original is read anyway.
func (c *Copy) Write(p []byte) (int, error) {
	if c.fault == nil {
		_, c.fault = c.w.Write(p)
	}
	return len(p), nil
}

func (c *Copy) signature(data []byte) {
	if c != nil {
		c.sign = data
	}
}

// Commit keeps what v was made of in the place of what was kept before. It
// fails when that is not possible, and the copy before stands.
func (c *Copy) Commit(v *Verified) error {
	if c.file == nil && c.fault == nil {
		return nil // of a repository without an index, which could prove nothing
	}
	err := c.fault
	if err == nil {
		err = c.w.Flush()
	}
	if err == nil && c.unchanged(v) {
		c.discard()
		return nil
	}
	if err == nil {
		err = c.file.Sync()
	}
	c.discard()
	if err == nil && c.sign != nil {
		err = keep(c.path(SignatureName), c.sign)
	}
	if err == nil {
		err = keep(c.path(v.Entry.Path), v.file)
	}
	if err == nil {
		err = c.exchange()
	}
	if err != nil {
		return fmt.Errorf("cannot keep a copy of the module in %s: %w", c.dir, err)
	}
	return nil
}

// unchanged tells whether what was kept before is the same: most pods start on nodes
// that have seen the repository as it is.
func (c *Copy) unchanged(v *Verified) bool {
	current := func(name string) string { return filepath.Join(c.dir, copyCurrent, filepath.FromSlash(name)) }
	return holds(current(SignatureName), c.sign) && holds(current(v.Entry.Path), v.file) && sameContent(current(IndexName), c.path(IndexName))
}

// holds tells whether a file is there with this content, or is not for nil.
func holds(path string, data []byte) bool {
	info, err := os.Lstat(path)
	if data == nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	had, err := os.ReadFile(path)
	return err == nil && bytes.Equal(had, data)
}

// sameContent tells whether two files are alike, holding little of them.
func sameContent(a, b string) bool {
	x, errA := os.Open(a)
	if errA != nil {
		return false
	}
	defer x.Close()
	y, errB := os.Open(b)
	if errB != nil {
		return false
	}
	defer y.Close()
	var p, q [16 << 10]byte
	for {
		n, errA := io.ReadFull(x, p[:])
		m, errB := io.ReadFull(y, q[:])
		if !bytes.Equal(p[:n], q[:m]) || (errA == nil) != (errB == nil) {
			return false
		}
		if errA != nil {
			return errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF)
		}
	}
}

// exchange puts what is new in the place of what is current.
func (c *Copy) exchange() error {
	newer, current, old := filepath.Join(c.dir, copyNew), filepath.Join(c.dir, copyCurrent), filepath.Join(c.dir, copyOld)
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(current, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(newer, current); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// Discard ends a copy that is not committed.
func (c *Copy) Discard() {
	if c != nil {
		c.discard()
	}
}

func (c *Copy) discard() {
	if c.file != nil {
		_ = c.file.Close() // what was written and not synced is not used
	}
	c.file, c.w = nil, nil
}

func keep(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
