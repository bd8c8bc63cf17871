package kmm

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/a8m/envsubst/parse"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Trim is the kernel release by which KMM looks for a mapping: one plus sign at
// its end is cut off. From internal/controllers/module_reconciler.go, 2.0 to 2.7.
func Trim(release string) string { return strings.TrimSuffix(release, "+") }

// Normalize makes a kernel release usable in an image's tag. From
// internal/kernel/kernel.go, 2.0 to 2.7.
func Normalize(release string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '_'
	}, release)
}

// IsTarget tells whether the label target-kernel of a build or sign pod means a
// node's kernel release. Up to 2.6 the label is the normalized release (from
// internal/controllers/mbsc_reconciler.go, 2.6.0); from 2.7 on it also fits DNS
// names (from internal/kernel/kernel.go, DNSSafeKernelVersion).
func IsTarget(label, release string) bool {
	normal := Normalize(Trim(release))
	dns := strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(normal)), "-")
	return label != "" && (label == normal || label == dns)
}

// separator splits a kernel release into components. From
// internal/utils/replaceStrings.go, 2.0 to 2.7.
var separator = lazyregexp.New(`[.,-]`)

// Stalls tells whether KMM fails on a kernel release that a mapping matches: it
// wants three components. It then stops in the middle of its work on the whole
// Module, so that no node gets anything new. From
// internal/utils/replaceStrings.go and internal/controllers/module_reconciler.go,
// 2.0 to 2.7.
func Stalls(release string) bool { return len(separator().Split(Normalize(Trim(release)), -1)) < 3 }

// Unserved says why KMM can load nothing on a kernel release even if a mapping
// matches it, or is "". The worker copies the module from the folder of the
// trimmed release, and modprobe looks into that of `uname -r`, plus sign and
// all. From internal/pod/workerpodmanager.go and cmd/worker, 2.0 to 2.7.
func Unserved(release string) string {
	switch {
	case Trim(release) != release:
		return "KMM does not support a kernel release that ends in a plus sign: it drops the sign, and modprobe then finds no module for " + release
	case Stalls(release):
		return "KMM fails on the kernel release " + release + ", which has fewer than three components, and then on the whole Module"
	}
	return ""
}

// KernelVariables are the names that KMM puts into sign.unsignedImage and
// sign.filesToSign. From internal/utils/replaceStrings.go, 2.1 to 2.7.
func KernelVariables() []string {
	return []string{"KERNEL_FULL_VERSION", "KERNEL_VERSION", "KERNEL_XYZ", "KERNEL_X", "KERNEL_Y", "KERNEL_Z"}
}

// ModuleVariables are the names that KMM puts into containerImage. From
// internal/module/kernelmapper.go, 2.1 to 2.7.
func ModuleVariables() []string { return append(KernelVariables(), "MOD_NAME", "MOD_NAMESPACE") }

// Substitute puts the variables of a kernel release, and of a Module, into a
// text, by the same library as KMM. The release is normalized before it is
// split into components; an unknown variable becomes empty. From
// internal/module/kernelmapper.go, 2.0 to 2.7.
func Substitute(text, release, name, namespace string) (string, error) {
	normal := Normalize(Trim(release))
	parts := separator().Split(normal, -1)
	if len(parts) < 3 {
		return "", fmt.Errorf("the kernel release %q has fewer than three components", release)
	}
	known := []string{
		"KERNEL_FULL_VERSION=" + normal, "KERNEL_VERSION=" + normal,
		"KERNEL_XYZ=" + strings.Join(parts[:3], "."),
		"KERNEL_X=" + parts[0], "KERNEL_Y=" + parts[1], "KERNEL_Z=" + parts[2],
		"MOD_NAME=" + name, "MOD_NAMESPACE=" + namespace,
	}
	filled, err := parse.New("", known, parse.Relaxed).Parse(text)
	if err != nil {
		return "", fmt.Errorf("cannot fill in %q: %w", text, err)
	}
	return filled, nil
}

// Matcher is how a mapping names its kernels: by one of both.
type Matcher struct{ Literal, Regexp string }

// First is the place of the first mapping that matches a kernel release, or -1.
// A literal is the whole release, a regexp may match anywhere in it, and
// neither goes before the other. From internal/module/kernelmapper.go, 2.0 to
// 2.7.
func First(mappings []Matcher, release string) (int, error) {
	release = Trim(release)
	for i, m := range mappings {
		if m.Literal != "" {
			if m.Literal == release {
				return i, nil
			}
			continue // The webhook refuses a regexp beside it.
		}
		if m.Regexp == "" {
			continue
		}
		re, err := regexp.Compile(m.Regexp)
		if err != nil {
			return i, fmt.Errorf("kernelMappings[%d].regexp: %w", i, err)
		}
		if re.MatchString(release) {
			return i, nil
		}
	}
	return -1, nil
}
