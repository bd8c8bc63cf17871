package module

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

var fileName = lazyregexp.New(`\.ko(\.gz|\.xz|\.zst)?$`)

// IsFileName tells whether a file is called as kernel modules are, compressed or
// not.
func IsFileName(name string) bool { return fileName().MatchString(name) }

// BareName is the name of a module file without its folders and extensions.
func BareName(name string) string { return fileName().ReplaceAllString(path.Base(name), "") }

// releaseFolder matches folders that are named for a kernel release. One of a
// version, 8.9.0, is not.
var releaseFolder = lazyregexp.New(`^\d+\.\d+\.\d+\S*-\S*\d`)

// Misnamed tells what the path of a module file says and the module itself does
// not, as after a build for another kernel than the one that runs; "" when they
// agree. It knows names such as pf-ring-RELEASE.ko and folders that are named
// for an architecture or a kernel release. name has slashes and is relative to
// what a person named: folders above that say nothing about modules.
func (i Info) Misnamed(name string) string {
	folders := strings.Split(path.Dir(name), "/")
	for _, folder := range folders {
		if arch := unames[folder]; arch != "" && arch != i.Arch {
			return fmt.Sprintf("it is in the folder %s and was built for %s", folder, i.Arch)
		}
	}
	bare := BareName(name)
	for _, prefix := range []string{"pf-ring-", "pf_ring-"} {
		if release, ok := strings.CutPrefix(bare, prefix); ok && release != i.KernelRelease {
			return fmt.Sprintf("it is named for kernel %s and was built for %s", release, i.KernelRelease)
		}
	}
	if slices.Contains(folders, i.KernelRelease) {
		return ""
	}
	for _, folder := range folders {
		if releaseFolder().MatchString(folder) {
			return fmt.Sprintf("it is in the folder of kernel %s and was built for %s", folder, i.KernelRelease)
		}
	}
	return ""
}
