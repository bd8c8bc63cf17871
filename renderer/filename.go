package renderer

import (
	"strconv"
	"strings"
)

// fileNames gives each resource a file name of its own, kind-name.yaml in lower
// case, the same one for the same resources. Two of the same kind and name (in
// two namespaces or API groups) are distinguished by a number, in Helm's order.
func fileNames(resources []Resource) []string {
	names := make([]string, 0, len(resources))
	taken := make(map[string]bool, len(resources))
	for _, r := range resources {
		base := fileSafe(r.Kind + "-" + r.Name)
		name := base
		for i := 2; taken[name]; i++ {
			name = base + "-" + strconv.Itoa(i)
		}
		taken[name] = true
		names = append(names, name+".yaml")
	}
	return names
}

// fileSafe keeps what every file system takes. A name such as system:node has a
// colon, and a chart may render anything at all.
func fileSafe(s string) string {
	// Most file systems end at 255 bytes; a number and .yaml must fit too.
	const maxLen = 230
	s = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.':
			return c
		case c >= 'A' && c <= 'Z':
			return c + ('a' - 'A')
		}
		return '_'
	}, s)
	return s[:min(len(s), maxLen)]
}
