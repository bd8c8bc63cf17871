package module

import (
	"strings"
	"unicode"
)

// utsLength is how many bytes a kernel's build keeps of what uname -v prints
// (UTS_LEN in scripts/mkcompile_h).
const utsLength = 64

// ValidKernelVersion tells whether version can be what uname -v prints: up to 64
// printable bytes.
func ValidKernelVersion(version string) bool {
	return version != "" && len(version) <= utsLength && !strings.ContainsFunc(version, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

// BuildsShareRelease tells whether kernels of a release whose uname -v is version may
// be several builds: Ubuntu gives its HWE kernels the release of the kernel that they
// are made from, and so do people who build a kernel again. Other distributions give
// each build a release of its own. There the headers' version would only be one more
// thing that can differ by mistake, and keep a module that fits from its node.
func BuildsShareRelease(release, version string) bool {
	return strings.HasSuffix(release, "+") || strings.Contains(version, "Ubuntu") ||
		!strings.ContainsFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// SameBuild tells whether two kernels of one release are one build for modules,
// by what uname -v prints on each. Debian gives a kernel a new release whenever
// its module ABI changes, so its uploads within a release count as one build:
// https://kernel-team.pages.debian.net/kernel-handbook/ch-versions.html
func SameBuild(a, b string) bool {
	const debian = " Debian "
	flavourA, _, fromDebianA := strings.Cut(a, debian)
	flavourB, _, fromDebianB := strings.Cut(b, debian)
	if fromDebianA && fromDebianB {
		return flavourA == flavourB
	}
	return a == b
}

// contradicts tells whether a module's vermagic names another configuration than
// what uname -v prints: both tell whether the kernel is one for several processors,
// preemptible or real-time. What is cut off or of another form contradicts nothing.
func contradicts(vermagic, kernelVersion string) bool {
	if vermagic == "" || !strings.HasPrefix(kernelVersion, "#") || len(kernelVersion) >= utsLength {
		return false
	}
	built, runs := strings.Fields(vermagic), strings.Fields(kernelVersion)
	has := func(list []string, any ...string) bool {
		for _, word := range list {
			for _, w := range any {
				if word == w {
					return true
				}
			}
		}
		return false
	}
	return has(built, "SMP") != has(runs, "SMP") ||
		has(built, "preempt") != has(runs, "PREEMPT", "PREEMPT_DYNAMIC") ||
		has(built, "preempt_rt") != has(runs, "PREEMPT_RT")
}
