package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/repository"
	"github.com/kubeshark/kubeshark-pfring/module/strip"
)

// CheckFolder makes a folder and tells whether files can be made in it: better
// before a build than after.
func CheckFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder for the modules: %w", err)
	}
	f, err := os.CreateTemp(dir, ".pfring-*")
	if err != nil {
		return fmt.Errorf("cannot write to the folder for the modules: %w", err)
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
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return atomicfile.Replace(path, data, 0o644)
}

// AddToRepository puts modules, stripped and compressed by zstd, into a module
// repository's folder and brings its index up to date. Where the repository has the same version for the same
// kernel under another name, or its index cannot be made, everything stays as it
// was.
func AddToRepository(ctx context.Context, dir string, modules []Module, o repository.Options) (change repository.Change, err error) {
	if err := free(dir, modules); err != nil {
		return change, err
	}
	files := map[string][]byte{}
	for _, m := range modules {
		small, err := strip.Small(m.Data)
		if err != nil {
			return change, err
		}
		files[placeOf(m)], files[formerPlaceOf(m)] = small, nil
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

// free tells whether no other file of the repository is what one of the modules
// is.
func free(dir string, modules []Module) error {
	data, err := os.ReadFile(filepath.Join(dir, module.IndexName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the repository's index: %w", err)
	}
	index, err := module.ParseIndex(data)
	if err != nil {
		return fmt.Errorf("cannot read the repository's index: %w", err)
	}
	var faults error
	for _, m := range modules {
		for _, e := range index.Modules {
			if e.KernelRelease == m.Info.KernelRelease && e.Arch == m.Info.Arch && e.Version == m.Info.Version && e.Path != placeOf(m) && e.Path != formerPlaceOf(m) {
				faults = errors.Join(faults, fmt.Errorf("the repository already has version %s for kernel %s on %s, in %s. To use the new one, remove that file",
					e.Version, e.KernelRelease, e.Arch, e.Path))
			}
		}
	}
	return faults
}
