package kubeshark

import (
	"fmt"
	"math"
	"strconv"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Version is that of a worker or its chart. The zero value is one that cannot be determined.
type Version struct {
	major, minor, patch int
	// floating is true where only major and minor are known: v53.3 is the tag of
	// the newest 53.3, and the chart of 52.4.0 says nothing but 52.4.
	floating bool
}

var versionText = lazyregexp.New(`^(?:kubeshark-)?v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+][0-9A-Za-z.+-]*)?$`)

// Parse reads 52.4, v52.3.88, v52.3.88-debug or kubeshark-53.3.0.
func Parse(text string) (Version, bool) {
	found := versionText().FindStringSubmatch(text)
	if found == nil {
		return Version{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(found[i]) // digits, at most four; none is 0
		return n
	}
	return Version{major: number(1), minor: number(2), patch: number(3), floating: found[3] == ""}, true
}

// Best is the version that the first text names; texts after it may tell the patch
// where the first leaves it open. They are an image's tag and labels of the chart.
func Best(texts ...string) Version {
	var best Version
	for _, text := range texts {
		v, ok := Parse(text)
		switch {
		case !ok:
		case !best.Known():
			best = v
		case best.floating && !v.floating && v.major == best.major && v.minor == best.minor:
			best = v
		}
	}
	return best
}

// Known is false for the zero value.
func (v Version) Known() bool { return v != (Version{}) }

func (v Version) String() string {
	switch {
	case v == (Version{}):
		return "version unknown"
	case v.floating:
		return fmt.Sprintf("version %d.%d", v.major, v.minor)
	}
	return fmt.Sprintf("version %d.%d.%d", v.major, v.minor, v.patch)
}

// atLeast is true if v, or each version that it may stand for, is not older.
func (v Version) atLeast(major, minor, patch int) bool {
	return compare([3]int{v.major, v.minor, v.patch}, [3]int{major, minor, patch}) >= 0
}

// before is true if v, or each version that it may stand for, is older.
func (v Version) before(major, minor, patch int) bool {
	newest := v.patch
	if v.floating {
		newest = math.MaxInt
	}
	return compare([3]int{v.major, v.minor, newest}, [3]int{major, minor, patch}) < 0
}

func compare(a, b [3]int) int {
	for i := range a {
		if a[i] != b[i] {
			return a[i] - b[i]
		}
	}
	return 0
}

// TakesFlag is true for the workers that know -kernel-module: Kubeshark's charts
// passed it from 52.1.0 to 52.3.88.
func (v Version) TakesFlag() bool { return v.atLeast(52, 1, 0) && v.before(52, 3, 89) }

// MayLoad is true for the charts that can load PF_RING themselves: the worker did
// to 52.0, an init container (Loader) from 52.1.0 to 52.3.88.
func (v Version) MayLoad() bool { return v.Known() && v.before(52, 3, 89) }

// HasShell is true for the workers whose image is known to have /bin/sh. From
// 52.3.93 on Kubeshark's own chart starts init containers with it; since 52.3.83
// its command line runs ls and cat in the worker.
func (v Version) HasShell() bool { return v.atLeast(52, 3, 83) }
