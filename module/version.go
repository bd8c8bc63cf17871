package module

import (
	"cmp"
	"strings"
)

// CompareVersions orders two PF_RING versions by their numbers, so that 8.10.0
// comes after 8.9.0. A version with a suffix, 8.9.0-rc1, comes before the one
// without. It returns -1, 0 or 1.
func CompareVersions(a, b string) int {
	as, bs := versionParts(a), versionParts(b)
	for i := range max(len(as), len(bs)) {
		if c := compareParts(part(as, i), part(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func versionParts(v string) []string {
	return strings.FieldsFunc(strings.TrimPrefix(v, "v"), func(r rune) bool {
		return r == '.' || r == '-' || r == '_' || r == '+' || r == '~'
	})
}

func part(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

func compareParts(a, b string) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if rank(a) == rankNumber {
		// As text, since a number may have more digits than any integer type.
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if c := cmp.Compare(len(a), len(b)); c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

// The ranks of a version's parts: 8.9-rc1 < 8.9 < 8.9.1.
const (
	rankText = iota
	rankNone
	rankNumber
)

func rank(part string) int {
	switch {
	case part == "":
		return rankNone
	case strings.Trim(part, "0123456789") == "":
		return rankNumber
	default:
		return rankText
	}
}
