package module

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// IsFileName tells whether a file is called as kernel modules are, compressed or
// not.
func IsFileName(name string) bool { return strings.HasSuffix(uncompressedName(name), ".ko") }

// BareName is the name of a module file without its folders and extensions.
func BareName(name string) string {
	base := path.Base(name)
	if bare, ok := strings.CutSuffix(uncompressedName(base), ".ko"); ok {
		return bare
	}
	return base
}

// uncompressedName is name without the extension of a compressed file.
func uncompressedName(name string) string {
	switch extension := path.Ext(name); extension {
	case ".gz", ".xz", ".zst":
		return strings.TrimSuffix(name, extension)
	}
	return name
}

// isReleaseFolder tells whether a folder is named for a kernel release, which is
// three numbers and, after a dash, at least one more. One of a version, 8.9.0, is
// not.
func isReleaseFolder(name string) bool {
	version, rest, _ := strings.Cut(name, "-")
	numbers := strings.SplitN(version, ".", 3)
	return len(numbers) == 3 && isNumber(numbers[0]) && isNumber(numbers[1]) && strings.TrimLeft(numbers[2], digits) != numbers[2] &&
		strings.ContainsAny(rest, digits) && !strings.ContainsAny(name, " \t\n")
}

const digits = "0123456789"

func isNumber(s string) bool { return s != "" && strings.Trim(s, digits) == "" }

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
		if isReleaseFolder(folder) {
			return fmt.Sprintf("it is in the folder of kernel %s and was built for %s", folder, i.KernelRelease)
		}
	}
	return ""
}
