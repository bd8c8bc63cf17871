package node

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

var parameterName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkParameters accepts what init_module takes as a string of NAME=VALUE with
// spaces between. It refuses what the kernel would read otherwise than meant:
// quotes and control characters.
func checkParameters(text string) error {
	for _, p := range strings.Fields(text) {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !parameterName().MatchString(name) || value == "" || strings.ContainsAny(value, "\"'\\\x00") {
			return fmt.Errorf("invalid parameter %q: must be name=value", p)
		}
	}
	return nil
}

func isUint32(s string) bool {
	_, ok := parseUint(s)
	return ok
}

// parseUint reads a number of 32 bits as the kernel does.
func parseUint(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 0, 32)
	return n, err == nil
}

// unknownParameters are the names that the module does not declare. The kernel
// ignores them but for a line in its log.
func unknownParameters(text string, declared []string) []string {
	known := map[string]bool{}
	for _, name := range declared {
		known[name] = true
	}
	var out []string
	for _, p := range strings.Fields(text) {
		if name, _, _ := strings.Cut(p, "="); !known[name] {
			out = append(out, name)
		}
	}
	return out
}
