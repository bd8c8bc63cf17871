package repository

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/flock"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Options say how an index is made.
type Options struct {
	// ModuleName is the kernel's name of the module; "" is pf_ring.
	ModuleName string
	// Lifetime is how long the index is valid from Now on; 0 has no end.
	Lifetime time.Duration
	Now      time.Time
	// Key signs the index; nil leaves it without a signature.
	Key *minisign.PrivateKey
	// Shrink makes the modules that are there smaller.
	Shrink Shrink
	// Symvers are of further kernel releases, for which modules are proved to fit.
	// What an index proved of a file before stays in it.
	Symvers []Symvers
	// KernelVersions say by path below the folder what uname -v prints on the nodes
	// that a module is for, where two builds of a kernel have one release. What an
	// index said of a file before stays in it.
	KernelVersions map[string]string
}

// Change says what an update did.
type Change struct {
	Index *module.Index
	// Added, Replaced and Removed are paths of modules.
	Added, Replaced, Removed []string
	// Unsigned says that there was a signature, which does not fit the new index
	// and was removed.
	Unsigned bool
	// Proofs tell which modules fit the releases of Options.Symvers.
	Proofs []Proof
	// Warnings tell of files that nodes may look for in vain.
	Warnings []string
}

// Update lists every module below dir in dir/index.json and replaces that file
// at once, with its signature if there is a key. The serial is one higher than
// before; of two updates at once the second waits for the first, so that a
// serial names one content. A file that is not the module it should be, two files
// for the same kernel, architecture and version, and a folder with neither
// modules nor an index, are errors that name the files; nothing is written then.
func Update(ctx context.Context, dir string, o Options) (Change, error) {
	r, err := open(ctx, dir)
	if err != nil {
		return Change{}, err
	}
	change, err := r.update(o)
	return change, errors.Join(err, r.close())
}

// Add puts files, by their paths below dir, into the repository and updates its
// index; nil stands for a file that goes. If that fails, everything stays as it
// was.
func Add(ctx context.Context, dir string, files map[string][]byte, o Options) (change Change, err error) {
	r, err := open(ctx, dir)
	if err != nil {
		return Change{}, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	undo, err := r.put(files)
	if err == nil {
		change, err = r.update(o)
	}
	if err != nil {
		return Change{}, errors.Join(err, undo())
	}
	return change, nil
}

// locked is a repository's folder, of which nobody else changes the index.
type locked struct {
	dir    string
	root   *os.Root
	unlock func() error
}

// open locks the folder and removes what a killed writer has left.
func open(ctx context.Context, dir string) (*locked, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the repository's folder: %w", err)
	}
	unlock, err := flock.Dir(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	r := &locked{dir, root, unlock}
	if err := atomicfile.Clean(root); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read the repository's folder: %w", err), r.close())
	}
	return r, nil
}

func (r *locked) close() error { return errors.Join(r.root.Close(), r.unlock()) }

// put writes files. undo takes them back.
func (r *locked) put(files map[string][]byte) (undo func() error, err error) {
	var back []func() error
	undo = func() error {
		var err error
		for _, f := range slices.Backward(back) {
			err = errors.Join(err, f())
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		old, err := r.read(name)
		switch {
		case err == nil:
			back = append(back, func() error { return atomicfile.ReplaceIn(r.root, name, old, 0o644) })
		case errors.Is(err, fs.ErrNotExist):
			back = append(back, func() error { return ignoreMissing(r.root.Remove(name)) })
		default:
			return undo, fmt.Errorf("cannot read %s: %w", filepath.Join(r.dir, name), err)
		}
		if files[name] == nil {
			err = ignoreMissing(r.root.Remove(name))
		} else {
			err = atomicfile.ReplaceIn(r.root, name, files[name], 0o644)
		}
		if err != nil {
			return undo, err
		}
	}
	return undo, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// maxIndex bounds an index that is read, in bytes.
const maxIndex = 256 << 20

func (r *locked) read(name string) ([]byte, error) {
	return readfile.Regular(filepath.Join(r.dir, filepath.FromSlash(name)), maxIndex)
}

func (r *locked) update(o Options) (Change, error) {
	o.ModuleName = cmp.Or(o.ModuleName, "pf_ring")
	old, err := readIndex(r.dir)
	if err != nil {
		return Change{}, err
	}
	builds := newKernelVersions(o.KernelVersions, old)
	found, err := scan(r.dir, o.ModuleName, builds.of)
	if err == nil {
		err = builds.unused()
	}
	if err != nil {
		return Change{}, err
	}
	entries, symbols, warnings := found.entries, found.symbols, found.warnings
	proved := provedBefore(old)
	proofs := prove(entries, symbols, o.Symvers)
	for i, e := range entries {
		entries[i].Fits = fits(e.KernelRelease, symbols[e.Path], proved[e.SHA256], o.Symvers)
	}
	if len(entries) == 0 && old.Serial == 0 {
		return Change{}, fmt.Errorf("no kernel module found below %s. Name the folder that holds them", r.dir)
	}
	gone, undo := []string(nil), noUndo
	if !o.Shrink.Nothing() {
		if entries, gone, undo, err = r.shrink(entries, o.Shrink); err != nil {
			return Change{}, errors.Join(err, undo())
		}
		gone = append(gone, found.spare...)
	} else {
		for _, name := range found.spare {
			warnings = append(warnings, filepath.Join(r.dir, filepath.FromSlash(name))+": it is not listed, as another file is the same module, and smaller")
		}
	}
	now := o.Now.UTC().Truncate(time.Second)
	index := &module.Index{
		SchemaVersion: module.IndexSchemaVersion, Module: o.ModuleName, Serial: old.Serial + 1, Created: now, Modules: entries,
	}
	if o.Lifetime > 0 {
		index.Expires = now.Add(o.Lifetime)
	}
	change := compare(old, index)
	change.Warnings, change.Proofs = warnings, proofs
	if change.Unsigned, err = r.publish(index, o); err != nil {
		return Change{}, errors.Join(err, undo())
	}
	// Last, so that who has read the old index still finds its files.
	for _, name := range gone {
		err = errors.Join(err, r.root.Remove(filepath.FromSlash(name)))
	}
	return change, err
}

// provedBefore are the proofs of an index by the files' digests.
func provedBefore(index *module.Index) map[string][]module.Fit {
	proved := map[string][]module.Fit{}
	for _, e := range index.Modules {
		proved[e.SHA256] = e.Fits
	}
	return proved
}

// publish writes the signature, then the index: a node that meets the new one
// with the old other fetches both once more. Without a key it removes the
// signature that there is, and says so.
func (r *locked) publish(index *module.Index, o Options) (unsigned bool, err error) {
	if err := index.Validate(); err != nil {
		return false, err
	}
	data, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return false, fmt.Errorf("cannot write the index: %w", err)
	}
	data = append(data, '\n')
	if o.Key != nil {
		err = atomicfile.ReplaceIn(r.root, module.SignatureName, Signature(data, index.Serial, *o.Key, o.Now), 0o644)
	} else if err = r.root.Remove(module.SignatureName); errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else {
		unsigned = err == nil
	}
	if err != nil {
		return false, err
	}
	return unsigned, atomicfile.ReplaceIn(r.root, module.IndexName, data, 0o644)
}

// readIndex returns the index there is, an empty one if there is none.
func readIndex(dir string) (*module.Index, error) {
	path := filepath.Join(dir, module.IndexName)
	data, err := readfile.Regular(path, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return &module.Index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the index: %w", err)
	}
	index, err := module.ParseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return index, nil
}
