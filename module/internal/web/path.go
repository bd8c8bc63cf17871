package web

import (
	"fmt"
	"strings"
)

// EscapePath escapes a path for a URL's RawPath: all but letters, digits and
// -._~/, which is what S3 signs. net/url leaves more as it is, such as the + of
// a kernel release, which some servers read as a space.
func EscapePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
