// Package text words small things alike in every command: counts, yes and no.
// It imports only the standard library, so that the agent can use it too.
package text

import "fmt"

// Count is "1 node", "3 nodes". A noun whose plural is not made with an s is not
// for it.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Noun is the noun alone, as Count has it after the number.
func Noun(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// CountOrNo is Count, but "no nodes" for zero.
func CountOrNo(n int, noun string) string {
	if n == 0 {
		return "no " + noun + "s"
	}
	return Count(n, noun)
}

// YesNo is "yes" or "no".
func YesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
