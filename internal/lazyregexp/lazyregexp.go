// Package lazyregexp compiles a package's regular expressions when they are first
// used. Compiling all of them at start-up took a tenth of the time of a short
// command such as `pfring version`. It imports nothing of this project.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// New returns a function that compiles the expression at its first call and
// returns the same Regexp at each call. An invalid expression panics, as
// regexp.MustCompile does: in tests at once, otherwise at the first call.
func New(expr string) func() *regexp.Regexp {
	compile := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	if underTest() {
		compile()
	}
	return compile
}

// underTest reports whether this is a test binary. It goes by the name, since
// importing package testing would add its flags and size to every program.
func underTest() bool {
	return len(os.Args) > 0 && strings.HasSuffix(strings.TrimSuffix(os.Args[0], ".exe"), ".test")
}
