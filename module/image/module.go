package image

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// Module is a module to pack.
type Module struct {
	// From is the file it was read from, for messages.
	From string
	// Data is the module, not compressed: modprobe of some systems reads no
	// compressed ones.
	Data []byte
	Info module.Info
}

// Read reads modules from files and from folders, such as a module repository's,
// with all below them. name is the kernel's name of the module that each must
// be. Of several versions for the same kernel and architecture it takes the
// highest; the same version twice with different content is an error, as is any
// file that is not what it should be. All faults are reported, not the first only.
func Read(paths []string, name string) ([]Module, error) {
	files, err := find(paths)
	if err != nil {
		return nil, err
	}
	best := map[[2]string]Module{}
	var faults error
	for _, file := range files {
		m, err := readFile(file, name)
		if err != nil {
			faults = errors.Join(faults, fmt.Errorf("%s: %w", file.path, err))
			continue
		}
		key := [2]string{m.Info.KernelRelease, m.Info.Arch}
		other, twice := best[key]
		order := module.CompareVersions(m.Info.Version, other.Info.Version)
		if twice && order == 0 && string(m.Data) != string(other.Data) {
			faults = errors.Join(faults, fmt.Errorf("%s and %s are both version %s for kernel %s on %s, and differ: leave one out",
				other.From, file.path, m.Info.Version, key[0], key[1]))
		}
		if !twice || order > 0 {
			best[key] = m
		}
	}
	if faults != nil {
		return nil, faults
	}
	list := make([]Module, 0, len(best))
	for _, m := range best {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Module) int {
		return cmp.Or(cmp.Compare(a.Info.KernelRelease, b.Info.KernelRelease), cmp.Compare(a.Info.Arch, b.Info.Arch))
	})
	return list, nil
}

// fileBelow is a file and its path, with slashes, below what a person named.
type fileBelow struct{ path, rel string }

func find(paths []string) ([]fileBelow, error) {
	var files []fileBelow
	for _, path := range paths {
		before := len(files)
		err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (p == path || module.IsFileName(p)) {
				rel, _ := filepath.Rel(path, p) // it lies below
				if p == path {
					rel = filepath.Base(p)
				}
				files = append(files, fileBelow{p, filepath.ToSlash(rel)})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot look for modules: %w", err)
		}
		if len(files) == before {
			return nil, fmt.Errorf("no kernel module (*.ko, *.ko.gz, *.ko.xz, *.ko.zst) found in %s", path)
		}
	}
	return files, nil
}

func readFile(file fileBelow, name string) (Module, error) {
	data, err := readfile.Regular(file.path, module.DefaultMaxSize)
	if err != nil {
		return Module{}, err
	}
	m, err := Check(data, name)
	if err != nil {
		return Module{}, err
	}
	m.From = file.path
	if why := m.Info.Misnamed(file.rel); why != "" {
		return Module{}, errors.New(why)
	}
	return m, nil
}

// Check makes a module from the bytes of a file, if it is the one named and can
// be packed.
func Check(data []byte, name string) (Module, error) {
	plain, _, err := module.Decompress(data, module.DefaultMaxSize)
	if err != nil {
		return Module{}, err
	}
	info, err := module.Inspect(plain)
	if err != nil {
		return Module{}, err
	}
	switch {
	case info.Name != name:
		return Module{}, fmt.Errorf("this is the module %q, not %q", info.Name, name)
	case info.Arch != "amd64" && info.Arch != "arm64":
		return Module{}, fmt.Errorf("it is for %s; images are made for amd64 and arm64", info.Arch)
	case info.KernelRelease == "":
		return Module{}, errors.New("it does not say which kernel it was built for (no vermagic)")
	case !goodRelease().MatchString(info.KernelRelease):
		return Module{}, fmt.Errorf("its kernel release %q cannot be a folder name: must have only letters, digits and . _ + ~ -", info.KernelRelease)
	}
	return Module{Data: plain, Info: info}, nil
}

var goodRelease = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._+~-]*$`)

// tags are the tags under which KMM and the agent look for the image of one
// kernel: the release with "_" for what a tag cannot have. KMM leaves out a "+"
// at the end, so such a kernel has two.
func tags(release string) []string {
	tag := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("._-", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
				return r
			}
			return '_'
		}, s)
	}
	tags := []string{tag(release)}
	if short, ok := strings.CutSuffix(release, "+"); ok {
		tags = append(tags, tag(short))
	}
	return tags
}
