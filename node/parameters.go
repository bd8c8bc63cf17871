package node

import (
	"fmt"
	"strconv"
	"strings"
)

// checkParameters accepts what init_module takes as a string of NAME=VALUE with
// spaces between. It refuses what the kernel would read otherwise than meant:
// quotes and control characters.
func checkParameters(text string) error {
	for _, p := range strings.Fields(text) {
		name, value, ok := strings.Cut(p, "=")
		if !ok || !isParameterName(name) || value == "" || strings.ContainsAny(value, "\"'\\\x00") {
			return fmt.Errorf("invalid parameter %q: must be name=value", p)
		}
	}
	return nil
}

// isParameterName tells whether name is an identifier of C.
func isParameterName(name string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	return strings.Trim(name, letters+"0123456789") == "" && strings.IndexAny(name, letters) == 0
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
