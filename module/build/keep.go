package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// CheckFolder makes a folder and tells whether files can be made in it: better
// before a build than after.
func CheckFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot create folder %s: %w", dir, readfile.Cause(err))
	}
	f, err := os.CreateTemp(dir, ".pfring-*")
	if err != nil {
		return fmt.Errorf("cannot write to folder %s: %w", dir, readfile.Cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// WriteFile puts a module into a folder, as ARCH/pf-ring-RELEASE.ko.zst, or as
// .ko if it is not to be compressed, and returns its path. A file of that name is
// replaced.
func WriteFile(dir string, m Module, compress bool) (path string, err error) {
	path, data := filepath.Join(dir, m.Info.Arch, "pf-ring-"+m.Info.KernelRelease+".ko"), m.Data
	if compress {
		path += ".zst"
		if data, err = strip.Small(data); err != nil {
			return "", err
		}
	}
	return path, write(path, data)
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return &atomicfile.Error{Name: path, Err: readfile.Cause(err)}
	}
	return atomicfile.Replace(path, data, 0o644)
}

// AddToRepository puts modules, stripped and compressed by zstd, into a module
// repository's folder and brings its index up to date. Where the repository has the same version for the same
// kernel under another name, or its index cannot be made, everything stays as it
// was.
func AddToRepository(ctx context.Context, dir string, modules []Module, o repository.Options) (change repository.Change, err error) {
	index, err := readIndex(dir)
	if err != nil {
		return change, err
	}
	files, faults := map[string][]byte{}, error(nil)
	o.KernelVersions = maps.Clone(o.KernelVersions)
	if o.KernelVersions == nil {
		o.KernelVersions = map[string]string{}
	}
	for _, m := range modules {
		if !module.BuildsShareRelease(m.Info.KernelRelease, m.KernelVersion) {
			m.KernelVersion = ""
		}
		small, err := strip.Small(m.Data)
		if err != nil {
			return change, err
		}
		place, former, err := placeFor(m, index)
		faults = errors.Join(faults, err)
		files[place] = small
		if m.KernelVersion != "" {
			o.KernelVersions[place] = m.KernelVersion
		}
		if former {
			files[formerPlaceOf(m)] = nil
		}
	}
	if faults != nil {
		return change, faults
	}
	return repository.Add(ctx, dir, files, o)
}

// placeOf is a module's path below the repository's root.
func placeOf(m Module) string {
	return formerPlaceOf(m) + ".zst"
}

// formerPlaceOf is where a module was put before modules were compressed.
func formerPlaceOf(m Module) string {
	return "modules/" + m.Info.Arch + "/" + m.Info.KernelRelease + "/pf_ring.ko"
}

// placeFor finds the path of a module in a repository, and tells whether it takes
// the place of one where modules were put before they were compressed. A module of
// another build of the same kernel release keeps its place. No other file of the
// repository may be what m is.
func placeFor(m Module, index *module.Index) (place string, former bool, err error) {
	place, former = placeOf(m), true
	for _, e := range index.Modules {
		switch {
		case e.KernelRelease != m.Info.KernelRelease || e.Arch != m.Info.Arch || e.Version != m.Info.Version:
		case otherBuild(e, m):
			if e.Path == placeOf(m) || e.Path == formerPlaceOf(m) {
				place, former = ownPlaceOf(m), false
			}
		case e.Path == ownPlaceOf(m):
			place, former = e.Path, false
		case e.Path != placeOf(m) && e.Path != formerPlaceOf(m) && (e.KernelVersion == "" || m.KernelVersion != ""):
			err = errors.Join(err, fmt.Errorf("the repository already has version %s for kernel %s on %s, in %s. To use the new one, remove that file",
				e.Version, e.KernelRelease, e.Arch, e.Path))
		}
	}
	return place, former, err
}

// otherBuild tells whether both e and m name the build of the kernel that they are
// for, and these are two.
func otherBuild(e module.Entry, m Module) bool {
	return e.KernelVersion != "" && m.KernelVersion != "" && !module.SameBuild(e.KernelVersion, m.KernelVersion)
}

// ownPlaceOf is the path of a module where another build of its kernel release has
// the usual one.
func ownPlaceOf(m Module) string {
	sum := sha256.Sum256([]byte(m.KernelVersion))
	return fmt.Sprintf("modules/%s/%s/%x/pf_ring.ko.zst", m.Info.Arch, m.Info.KernelRelease, sum[:4])
}

// readIndex is the index of a repository, an empty one where there is none.
func readIndex(dir string) (*module.Index, error) {
	data, err := os.ReadFile(filepath.Join(dir, module.IndexName))
	if errors.Is(err, fs.ErrNotExist) {
		return &module.Index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the repository's index: %w", err)
	}
	index, err := module.ParseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the repository's index: %w", err)
	}
	return index, nil
}
