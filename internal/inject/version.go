package inject

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// version is that of a worker. The zero value is one that cannot be told.
type version struct {
	major, minor, patch int
	// floating is true where only major and minor are known: v53.3 is the tag of
	// the newest 53.3, and the chart of 52.4.0 says nothing but 52.4.
	floating bool
}

var versionText = regexp.MustCompile(`^(?:kubeshark-)?v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+][0-9A-Za-z.+-]*)?$`)

// parseVersion reads 52.4, v52.3.88, v52.3.88-debug or kubeshark-53.3.0.
func parseVersion(text string) (version, bool) {
	found := versionText.FindStringSubmatch(text)
	if found == nil {
		return version{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(found[i]) // digits, at most four; none is 0
		return n
	}
	return version{major: number(1), minor: number(2), patch: number(3), floating: found[3] == ""}, true
}

// versionOf reads the worker's version: from its image's tag, else from the
// labels that Kubeshark's chart gives it. Of a tag such as v53.3 the labels may
// tell the patch.
func versionOf(daemonSet, sniffer *yaml.Node) version {
	image, _, _ := strings.Cut(scalar(get(sniffer, "image")), "@")
	var best version
	for _, text := range []string{
		image[strings.LastIndexByte(image, ':')+1:],
		scalar(get(daemonSet, "metadata", "labels", "app.kubernetes.io/version")),
		scalar(get(daemonSet, "metadata", "labels", "helm.sh/chart")),
	} {
		v, ok := parseVersion(text)
		switch {
		case !ok:
		case best == (version{}):
			best = v
		case best.floating && !v.floating && v.major == best.major && v.minor == best.minor:
			best = v
		}
	}
	return best
}

func (v version) String() string {
	switch {
	case v == (version{}):
		return "version unknown"
	case v.floating:
		return fmt.Sprintf("version %d.%d", v.major, v.minor)
	}
	return fmt.Sprintf("version %d.%d.%d", v.major, v.minor, v.patch)
}

// atLeast is true if v, or each version that it may stand for, is not older.
func (v version) atLeast(major, minor, patch int) bool {
	return compare([3]int{v.major, v.minor, v.patch}, [3]int{major, minor, patch}) >= 0
}

// before is true if v, or each version that it may stand for, is older.
func (v version) before(major, minor, patch int) bool {
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

// takesFlag is true for the workers that know -kernel-module: Kubeshark's
// charts passed it from 52.1.0 to 52.3.88.
func (v version) takesFlag() bool { return v.atLeast(52, 1, 0) && v.before(52, 3, 89) }

// hasShell is true for the workers whose image is known to have /bin/sh. From
// 52.3.93 on Kubeshark's own chart starts init containers with it; since
// 52.3.83 its command line runs ls and cat in the worker.
func hasShell(v version, daemonSet *yaml.Node) bool {
	if v != (version{}) {
		return v.atLeast(52, 3, 83)
	}
	// The later labels came with 52.10.
	for _, labels := range []*yaml.Node{get(daemonSet, "metadata", "labels"), get(daemonSet, "spec", "template", "metadata", "labels")} {
		for _, key := range workerLabels[1:] {
			if scalar(get(labels, key)) == "worker" {
				return true
			}
		}
	}
	return false
}
