package valuesschema

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// plainRelease is a kernel release written as a regexp by somebody who thinks of
// a literal: its dots, and a plus, mean something else in a regexp.
var plainRelease = lazyregexp.New(`^[0-9]+\.[0-9][A-Za-z0-9._+~-]*$`)

// tryRegexp warns of a regexp that no kernel release can match, or that matches
// more than it looks.
func (c *check) tryRegexp(path Path, expr string, parsed *syntax.Regexp) {
	text := strings.TrimSuffix(strings.TrimPrefix(expr, "^"), "$")
	anchored := strings.HasPrefix(expr, "^")
	switch plain := plainRelease().MatchString(text); {
	case !inRelease(parsed):
		c.warnf("regexp-unmatched", path, `a kernel release has only letters, digits and . _ + ~ -; in YAML's plain text and single quotes a backslash is kept as it is`,
			"matches no kernel release: it requires a character that no kernel release has")
	case anchored && !beginsWithDigit(parsed):
		c.warnf("regexp-unmatched", path, "such as ^6\\.1\\. for all kernels 6.1", "matches no kernel release: each begins with a digit")
	case strings.HasSuffix(expr, `\+$`):
		c.warnf("regexp-unmatched", path, "use mode auto for such kernels", "matches no kernel release: KMM cuts the trailing + off before it compares")
	case plain && strings.Contains(strings.TrimSuffix(text, "+"), "+") && !matches(expr, text):
		c.warnf("regexp-unmatched", path, "write literal: "+text+`, or \+ in the regexp`, "does not match the kernel release %s that it looks like: + repeats what is before it", text)
	case !anchored && plain && !strings.HasSuffix(expr, "$"):
		c.warnf("regexp-loose", path, "write literal: "+text+" for exactly this kernel, or begin with ^", "not anchored: it matches also 1%s and %s1", text, text)
	case !anchored && startsWithDigit(parsed):
		c.warnf("regexp-loose", path, "begin with ^", "not anchored: it matches also inside a longer kernel release, such as with a 1 before it")
	}
}

func matches(expr, text string) bool {
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(text)
}

// releaseRune tells the characters that kernel releases have.
func releaseRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+~-", r)
}

// inRelease tells whether some text of a kernel release's characters can match.
func inRelease(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if !releaseRune(r) {
				return false
			}
		}
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1] && r < 128; r++ {
				if releaseRune(r) {
					return true
				}
			}
		}
		return false
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		for _, sub := range re.Sub {
			if !inRelease(sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if inRelease(sub) {
				return true
			}
		}
		return false
	case syntax.OpRepeat:
		return re.Min == 0 || inRelease(re.Sub[0])
	}
	return true
}

// beginsWithDigit tells whether what an anchored regexp matches can begin with a
// digit; true where that is not clear.
func beginsWithDigit(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) == 0 || re.Rune[0] >= '0' && re.Rune[0] <= '9'
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if sub.Op != syntax.OpBeginText && sub.Op != syntax.OpBeginLine && sub.Op != syntax.OpEmptyMatch {
				return beginsWithDigit(sub)
			}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return beginsWithDigit(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if beginsWithDigit(sub) {
				return true
			}
		}
		return false
	}
	return true
}

// startsWithDigit tells whether the regexp begins with the text of a number.
func startsWithDigit(re *syntax.Regexp) bool {
	for re.Op == syntax.OpConcat || re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpLiteral && len(re.Rune) > 0 && re.Rune[0] >= '0' && re.Rune[0] <= '9'
}
