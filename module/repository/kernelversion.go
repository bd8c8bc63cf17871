package repository

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// utsVersion is the line in which a kernel's build leaves what uname -v prints.
var utsVersion = regexp.MustCompile(`(?m)^#define UTS_VERSION "(.*)"$`)

// maxHeader bounds a generated header, in bytes.
const maxHeader = 64 << 10

// ReadKernelVersion reads from a kernel's headers, such as
// /lib/modules/RELEASE/build, what uname -v prints on its nodes. Kernels before
// 6.1 have it in compile.h.
func ReadKernelVersion(headers string) (string, error) {
	for _, name := range []string{"utsversion.h", "compile.h"} {
		data, err := readfile.Regular(filepath.Join(headers, "include", "generated", name), maxHeader)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("cannot read the kernel version: %w", err)
		}
		if m := utsVersion.FindSubmatch(data); m != nil {
			return string(m[1]), nil
		}
	}
	return "", fmt.Errorf("%s does not say what uname -v prints: no UTS_VERSION in include/generated/utsversion.h or compile.h", headers)
}

// kernelVersions tell two builds of one kernel release apart: those that are
// given by path, else those that the index had for the same file or module.
type kernelVersions struct {
	given  map[string]string
	before map[string]string
	used   map[string]bool
}

func newKernelVersions(given map[string]string, old *module.Index) *kernelVersions {
	k := &kernelVersions{given: given, before: map[string]string{}, used: map[string]bool{}}
	for _, e := range old.Modules {
		k.before[e.SHA256] = e.KernelVersion
		if e.ModuleSHA256 != "" {
			k.before[e.ModuleSHA256] = e.KernelVersion
		}
	}
	return k
}

func (k *kernelVersions) of(e module.Entry) string {
	if version, ok := k.given[e.Path]; ok {
		k.used[e.Path] = true
		return version
	}
	if version := k.before[e.SHA256]; version != "" {
		return version
	}
	return k.before[e.ModuleSHA256]
}

// unused is an error for what was given for a file that is not there.
func (k *kernelVersions) unused() error {
	for _, path := range slices.Sorted(maps.Keys(k.given)) {
		if !k.used[path] {
			return fmt.Errorf("a kernel version is given for %s, and there is no such module below the repository's root", path)
		}
	}
	return nil
}
