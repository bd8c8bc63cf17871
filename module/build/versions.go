package build

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// combination is what is known of a version of PF_RING on a series of kernels.
type combination struct {
	version string
	// series is the kernel's first two numbers, such as 6.1. What compiles on one
	// series is taken to compile on older ones.
	series   string
	compiles bool
	// source is where that is from: a build that was run for this project, or a
	// line of PF_RING's own CHANGELOG.md.
	source string
}

// combinations are those that are known, newest version first.
func combinations() []combination {
	return []combination{
		{"8.9.0", "6.12", true, "built here for Debian's 6.12.117+deb12-cloud-amd64, and loaded"},
		{"8.9.0", "6.1", true, "built here for Debian's 6.1.0-56-amd64, and loaded"},
		{"8.8.0", "6.12", true, "the part of its source that depends on the kernel is that of 8.9.0, which differs in time stamps of Arista switches alone"},
		{"8.8.0", "6.1", true, "built here for Debian's 6.1.0-56-cloud-amd64, and loaded"},
		{"8.6.1", "6.4", true, "PF_RING's CHANGELOG.md, 8.6.1: support for kernel 6.4+"},
		{"8.6.1", "6.1", true, "built here for Debian's 6.1.0-56-cloud-amd64, and loaded"},
		{"8.4.0", "6.1", false, "tested on Debian's 6.1.192: it does not compile"},
		{"8.0.0", "5.9", true, "PF_RING's CHANGELOG.md, 8.0: support for kernel >=5.9"},
	}
}

// Fit says whether a version of PF_RING is known to compile on a kernel.
type Fit struct {
	Version string
	// Known is false where nobody has said so: the kernel is newer than any that
	// the version is known to compile on. Why says what is known.
	Known bool
	Why   string
}

// VersionFor chooses the version of PF_RING for a kernel release: the newest
// pinned one that is known to compile on it, or, for a kernel newer than all
// that is known, the newest.
func VersionFor(kernel string) Fit {
	var newest Fit
	for _, version := range Versions() {
		fit := FitOf(version, kernel)
		if fit.Known {
			return fit
		}
		newest = cmp.Or(newest, fit)
	}
	return newest
}

// FitOf tells what is known of a version of PF_RING on a kernel release.
func FitOf(version, kernel string) Fit {
	fit := Fit{Version: version}
	major, minor, ok := series(kernel)
	if !ok {
		fit.Why = fmt.Sprintf("kernel release %q does not begin with a version such as 6.1", kernel)
		return fit
	}
	var best *combination
	for _, c := range combinations() {
		m, n, _ := series(c.series)
		reaches := m > major || m == major && n >= minor
		switch {
		case c.version != version:
		case c.compiles && reaches:
			return Fit{Version: version, Known: true, Why: c.source}
		case !c.compiles && (m < major || m == major && n <= minor):
			fit.Why = fmt.Sprintf("PF_RING %s is known not to compile on kernels of the series %s: %s", version, c.series, c.source)
			return fit
		case c.compiles && (best == nil || compareSeries(c.series, best.series) > 0):
			best = &c
		}
	}
	if best == nil {
		fit.Why = fmt.Sprintf("it is unknown whether PF_RING %s compiles on any kernel", version)
		return fit
	}
	fit.Why = fmt.Sprintf("PF_RING %s is known to compile on kernels up to %s, and this kernel is %d.%d", version, best.series, major, minor)
	return fit
}

var kernelSeries = lazyregexp.New(`^(\d{1,4})\.(\d{1,4})(?:\D|$)`)

func series(kernel string) (major, minor int, ok bool) {
	m := kernelSeries().FindStringSubmatch(kernel)
	if m == nil {
		return 0, 0, false
	}
	// At most four digits each.
	major, _ = strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2])
	return major, minor, true
}

func compareSeries(a, b string) int {
	am, an, _ := series(a)
	bm, bn, _ := series(b)
	return cmp.Or(cmp.Compare(am, bm), cmp.Compare(an, bn))
}

// GuessArch is the GOARCH name in a kernel release, such as amd64 in
// 6.1.0-18-cloud-amd64 and in 5.14.0-362.el9.x86_64; "" if there is none.
func GuessArch(kernel string) string {
	words := strings.FieldsFunc(kernel, func(r rune) bool { return strings.ContainsRune(".-_+", r) && r != '_' })
	for _, w := range slices.Backward(words) {
		switch w {
		case "amd64", "x86_64":
			return "amd64"
		case "arm64", "aarch64":
			return "arm64"
		}
	}
	return ""
}

// ValidRelease tells whether text may be a kernel release.
func ValidRelease(text string) bool { return goodRelease().MatchString(text) }
