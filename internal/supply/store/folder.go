package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/mirror"
)

// Folder is a store on a volume.
type Folder struct {
	*mirror.Folder
	dir string
}

var _ Store = Folder{}

// NewFolder opens the store of type persistentVolumeClaim. It waits, as long as
// ctx lets it, for another process that has it open.
func NewFolder(ctx context.Context, dir string) (Folder, error) {
	f, err := mirror.NewFolder(ctx, dir)
	return Folder{f, dir}, ofVolume(err)
}

// Room is without bound: the volume's size is its owner's.
func (f Folder) Room() int { return 0 }

// Has reads the file.
func (f Folder) Has(ctx context.Context, e module.Entry) (bool, error) {
	there, err := f.Folder.Has(ctx, e)
	return there, ofVolume(err)
}

// Put writes the file.
func (f Folder) Put(ctx context.Context, e module.Entry, data []byte) error {
	return ofVolume(f.Folder.Put(ctx, e, data))
}

// Publish writes the index beside the modules, for people: agents get it from
// the controller.
func (f Folder) Publish(ctx context.Context, have []module.Entry, index, signature []byte) error {
	return ofVolume(f.Folder.Publish(ctx, have, index, signature))
}

// Index is what Publish has written, by whichever controller; nil where there is
// none that can be read.
func (f Folder) Index() (index, signature []byte) {
	return f.read(module.IndexName), f.read(module.SignatureName)
}

func (f Folder) read(name string) []byte {
	data, err := readfile.Regular(filepath.Join(f.dir, name), maxIndex)
	if err != nil {
		return nil
	}
	return data
}

// Remove deletes the file.
func (f Folder) Remove(ctx context.Context, e module.Entry) error {
	return ofVolume(f.Folder.Remove(ctx, e))
}

// ofVolume explains what a file system refuses.
func ofVolume(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return &failure{
			why: "the volume of the store is full", err: fmt.Errorf("%w: %w", ErrFull, err),
			remedy: "Enlarge the PersistentVolumeClaim of the store, or lower supply.keep.",
		}
	case errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission):
		return &failure{
			why: "the volume of the store cannot be written: " + cause(err), err: err,
			remedy: "Mount the volume of supply.store.persistentVolumeClaim read-write, with a file system that group 65532 may write (fsGroup).",
		}
	}
	return err
}

// cause is the system's own words.
func cause(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}
