package repository

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// scanned is what is in a repository's folder.
type scanned struct {
	entries []module.Entry
	// symbols are those that each module needs, by its path.
	symbols  map[string][]module.Symbol
	warnings []string
	// spare are paths of modules that are there a second time, and smaller.
	spare []string
}

// scan reads each module of the folder, one after the other, so that memory
// stays that of the largest.
func scan(dir, name string, build func(module.Entry) string) (*scanned, error) {
	s := &scanned{entries: []module.Entry{}, symbols: map[string][]module.Symbol{}}
	from := map[[5]string]int{}
	var faults error
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !module.IsFileName(d.Name()) {
			return err
		}
		e, info, err := describe(dir, path, name)
		if warning := info.Misnamed(e.Path); err == nil && warning != "" {
			s.warnings = append(s.warnings, path+": "+warning)
		}
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s: %w", path, err))
			return nil
		}
		s.symbols[e.Path] = info.Symbols
		e.KernelVersion = build(e)
		key := [5]string{e.KernelRelease, e.Arch, e.Version, e.KernelVersion, e.Vermagic}
		if n, twice := from[key]; twice {
			faults = errors.Join(faults, s.mergeTwin(dir, n, e))
			return nil
		}
		from[key] = len(s.entries)
		s.entries = append(s.entries, e)
		return nil
	}
	if err := filepath.WalkDir(dir, walk); err != nil {
		return nil, fmt.Errorf("cannot read the repository's folder: %w", err)
	}
	if faults != nil {
		return nil, faults
	}
	slices.SortFunc(s.entries, func(a, b module.Entry) int {
		return cmp.Or(cmp.Compare(a.KernelRelease, b.KernelRelease), cmp.Compare(a.Arch, b.Arch), module.CompareVersions(a.Version, b.Version), cmp.Compare(a.KernelVersion, b.KernelVersion), cmp.Compare(a.Path, b.Path))
	})
	return s, nil
}

// mergeTwin is for a second module of the same kernel, architecture and version. The
// same one in another form is what a run leaves that was killed before it removed
// what it had made smaller.
func (s *scanned) mergeTwin(dir string, n int, e module.Entry) error {
	large, small := s.entries[n], e
	if small.Size > large.Size {
		large, small = small, large
	}
	bare := func(name string) string { return path.Join(path.Dir(name), module.BareName(name)) }
	same, err := false, error(nil)
	if bare(large.Path) == bare(small.Path) {
		same, err = becomes(dir, large, small)
	}
	if err != nil {
		return err
	}
	if !same {
		where := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
		return fmt.Errorf("%s and %s are both version %s for kernel %s on %s: remove one", where(s.entries[n].Path), where(e.Path), e.Version, e.KernelRelease, e.Arch)
	}
	s.entries[n], s.spare = small, append(s.spare, large.Path)
	return nil
}

// becomes tells whether the module of small is that of large, or that without its
// debug information.
func becomes(dir string, large, small module.Entry) (bool, error) {
	if large.ModuleSHA256 == small.ModuleSHA256 {
		return true, nil
	}
	data, err := readfile.Regular(filepath.Join(dir, filepath.FromSlash(large.Path)), module.DefaultMaxSize)
	if err != nil {
		return false, err
	}
	_, stripped, err := Shrink{Strip: true}.Entry(large, data)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be stripped is another module
	}
	plain, _, err := module.Decompress(stripped, module.DefaultMaxSize)
	return err == nil && digest(plain) == small.ModuleSHA256, nil
}

// describe is the entry for one file, and what the module says of itself.
func describe(dir, path, name string) (e module.Entry, info module.Info, err error) {
	data, err := readfile.Regular(path, module.DefaultMaxSize)
	if err != nil {
		return e, info, err
	}
	ko, format, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return e, info, err
	}
	if info, err = module.Inspect(ko); err != nil {
		return e, info, err
	}
	switch {
	case info.Name != name:
		return e, info, fmt.Errorf("this is the module %q, not %q", info.Name, name)
	case info.KernelRelease == "":
		return e, info, errors.New("the module does not say which kernel it was built for (no vermagic)")
	case info.Version == "":
		return e, info, errors.New("the module has no version (MODULE_VERSION)")
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return e, info, err
	}
	rel = filepath.ToSlash(rel)
	return module.Entry{
		KernelRelease: info.KernelRelease, Arch: info.Arch, Version: info.Version, Path: rel,
		Size: int64(len(data)), SHA256: digest(data), Vermagic: info.Vermagic, Signed: info.Signed,
		Compression: format, SrcVersion: info.SrcVersion, ModuleSHA256: digest(ko),
	}, info, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
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
