package repository

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// moduleFile is what a kernel module is called, compressed or not.
var moduleFile = regexp.MustCompile(`\.ko(\.gz|\.xz|\.zst)?$`)

// Options say how an index is made.
type Options struct {
	// ModuleName is the kernel's name of the module; "" is pf_ring.
	ModuleName string
	// Lifetime is how long the index is valid from Now on; 0 for ever.
	Lifetime time.Duration
	Now      time.Time
}

// Change says what an update did.
type Change struct {
	Index *module.Index
	// Added, Replaced and Removed are paths of modules.
	Added, Replaced, Removed []string
}

// Empty tells whether the modules are the same as before.
func (c Change) Empty() bool { return len(c.Added)+len(c.Replaced)+len(c.Removed) == 0 }

// Update lists every module below dir in dir/index.json and replaces that file
// at once. The serial is one higher than before. A file that is not the module
// it should be, two files for the same kernel, architecture and version, and a
// folder with neither modules nor an index, are errors that name the files;
// nothing is written then.
func Update(dir string, o Options) (Change, error) {
	o.ModuleName = cmp.Or(o.ModuleName, "pf_ring")
	old, err := readIndex(dir)
	if err != nil {
		return Change{}, err
	}
	entries, err := scan(dir, o.ModuleName)
	if err != nil {
		return Change{}, err
	}
	if len(entries) == 0 && old.Serial == 0 {
		return Change{}, fmt.Errorf("there is no kernel module below %s; name the folder that holds them", dir)
	}
	now := o.Now.UTC().Truncate(time.Second)
	index := &module.Index{
		SchemaVersion: module.IndexSchemaVersion, Module: o.ModuleName, Serial: old.Serial + 1, Created: now, Modules: entries,
	}
	if o.Lifetime > 0 {
		index.Expires = now.Add(o.Lifetime)
	}
	if err := index.Validate(); err != nil {
		return Change{}, err
	}
	data, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return Change{}, fmt.Errorf("writing the index: %w", err)
	}
	if err := atomicfile.Replace(filepath.Join(dir, module.IndexName), append(data, '\n'), 0o644); err != nil {
		return Change{}, err
	}
	return compare(old, index), nil
}

// readIndex returns the index there is, an empty one if there is none.
func readIndex(dir string) (*module.Index, error) {
	path := filepath.Join(dir, module.IndexName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &module.Index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	index, err := module.ParseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return index, nil
}

// scan reads each module of the folder, one after the other, so that memory
// stays that of the largest.
func scan(dir, name string) ([]module.Entry, error) {
	entries := []module.Entry{}
	from := map[[3]string]string{}
	var faults error
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !moduleFile.MatchString(d.Name()) {
			return err
		}
		e, err := describe(dir, path, name)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s: %w", path, err))
			return nil
		}
		key := [3]string{e.KernelRelease, e.Arch, e.Version}
		if other, twice := from[key]; twice {
			faults = errors.Join(faults, fmt.Errorf("%s and %s are both version %s for kernel %s on %s: remove one", other, path, e.Version, e.KernelRelease, e.Arch))
			return nil
		}
		from[key] = path
		entries = append(entries, e)
		return nil
	}
	if err := filepath.WalkDir(dir, walk); err != nil {
		return nil, fmt.Errorf("reading the repository's folder: %w", err)
	}
	if faults != nil {
		return nil, faults
	}
	slices.SortFunc(entries, func(a, b module.Entry) int {
		return cmp.Or(cmp.Compare(a.KernelRelease, b.KernelRelease), cmp.Compare(a.Arch, b.Arch), module.CompareVersions(a.Version, b.Version))
	})
	return entries, nil
}

// describe is the entry for one file.
func describe(dir, path, name string) (module.Entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return module.Entry{}, err
	}
	ko, _, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return module.Entry{}, err
	}
	info, err := module.Inspect(ko)
	if err != nil {
		return module.Entry{}, err
	}
	switch {
	case info.Name != name:
		return module.Entry{}, fmt.Errorf("this is the module %q, not %q", info.Name, name)
	case info.KernelRelease == "":
		return module.Entry{}, errors.New("the module does not say for which kernel it was built (no vermagic)")
	case info.Version == "":
		return module.Entry{}, errors.New("the module has no version (MODULE_VERSION)")
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return module.Entry{}, err
	}
	sum := sha256.Sum256(data)
	return module.Entry{
		KernelRelease: info.KernelRelease, Arch: info.Arch, Version: info.Version, Path: filepath.ToSlash(rel),
		Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Vermagic: info.Vermagic, Signed: info.Signed,
	}, nil
}

func compare(before, after *module.Index) Change {
	c := Change{Index: after}
	old := map[string]module.Entry{}
	for _, e := range before.Modules {
		old[e.Path] = e
	}
	for _, e := range after.Modules {
		was, there := old[e.Path]
		switch {
		case !there:
			c.Added = append(c.Added, e.Path)
		case was.SHA256 != e.SHA256:
			c.Replaced = append(c.Replaced, e.Path)
		}
		delete(old, e.Path)
	}
	for path := range old {
		c.Removed = append(c.Removed, path)
	}
	slices.Sort(c.Removed)
	return c
}
