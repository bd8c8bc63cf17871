package valuesschema

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

func itoa(n int) string { return strconv.Itoa(n) }

// earlier is what the mappings so far catch.
type earlier struct {
	all      int // the first that matches everything, or -1
	texts    map[string]int
	patterns []pattern
	// kept is the weight of patterns, spent that of comparisons with literals.
	kept, spent int
}

type pattern struct {
	*regexp.Regexp
	index, weight int
}

// checkMappings looks at regexps and at mappings that can never be used: KMM
// takes the first that matches, whether literal or regexp.
func checkMappings(c *check) {
	path := module.With("kernelMappings")
	list := c.list(path)
	// What is not a list at all, the schema refuses.
	if v, _ := lookup(c.values, path); c.mode() == "kmm" && len(list) == 0 && (v == nil || list != nil) {
		c.errorf("mappings-missing", path, "add a mapping with regexp and containerImage", "kmm mode needs at least one mapping")
	}
	e := &earlier{all: -1, texts: map[string]int{}}
	for i := range list {
		at := path.With(i)
		if literal := c.str(at.With("literal")); literal != "" {
			c.literal(e, i, at.With("literal"), literal)
		} else if expr := c.str(at.With("regexp")); expr != "" {
			c.regexp(e, i, at.With("regexp"), expr)
		}
		c.sign(at)
	}
}

func (c *check) hidden(path Path, by int) {
	c.errorf("mapping-hidden", path, "put it before kernelMappings["+itoa(by)+"], or remove it",
		"never used: kernelMappings[%d] matches first, and KMM takes the first match", by)
}

func (c *check) literal(e *earlier, i int, path Path, literal string) {
	if strings.HasSuffix(literal, "+") {
		c.errorf("literal-plus", path, "use mode auto for such kernels",
			"never matches: KMM cuts the trailing + off a node's kernel release before it compares, and cannot load on such a kernel")
		return
	}
	if c.mode() == "kmm" && kmm.Stalls(literal) {
		c.errorf("literal-short", path, "KMM supports kernel releases such as 6.1.0-18-amd64; mode auto supports this one too",
			"KMM fails on a kernel release with fewer than three components, and then on the whole Module")
		return
	}
	defer func() { e.remember("="+literal, i) }()
	if e.all >= 0 {
		c.hidden(path, e.all)
		return
	}
	if j, ok := e.texts["="+literal]; ok {
		c.hidden(path, j)
		return
	}
	for _, p := range e.patterns {
		if e.spent += p.weight; e.spent > maxSpent {
			return
		}
		if p.MatchString(literal) {
			c.hidden(path, p.index)
			return
		}
	}
}

func (e *earlier) remember(text string, i int) {
	if _, ok := e.texts[text]; !ok {
		e.texts[text] = i
	}
}

func (c *check) regexp(e *earlier, i int, path Path, expr string) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		hint := "KMM uses RE2, see https://github.com/google/re2/wiki/Syntax"
		if strings.Contains(expr, "(?=") || strings.Contains(expr, "(?!") || strings.Contains(expr, "(?<") {
			hint = "RE2 has no look-ahead or look-behind; to exclude kernels, put a mapping for them before this one"
		}
		c.errorf("regexp-invalid", path, hint, "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	c.tryRegexp(path, expr, parsed)
	j, same := e.texts["~"+expr]
	switch {
	case e.all >= 0:
		c.hidden(path, e.all)
	case same:
		c.hidden(path, j)
	}
	e.remember("~"+expr, i)
	e.keep(expr, i, weight(parsed))
	if e.all < 0 && matchesAll(expr) {
		e.all = i
	}
}

// Bounds on what is compared, in parts of a regexp after its repetitions are
// written out: a file of a hundred kilobytes could take gigabytes and minutes. A
// thousand ordinary mappings stay far below.
const (
	maxWeight = 10_000
	maxKept   = 500_000
	maxSpent  = 100_000_000
)

// keep compiles a regexp for the literals to come.
func (e *earlier) keep(expr string, index, weight int) {
	if weight > maxWeight || e.kept+weight > maxKept || e.all >= 0 {
		return
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return // it was parsed before
	}
	e.kept += weight
	e.patterns = append(e.patterns, pattern{re, index, weight})
}

// weight is about how many instructions a regexp takes.
func weight(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += weight(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// matchesAll knows the usual ways to say "any kernel".
func matchesAll(expr string) bool {
	switch strings.TrimPrefix(strings.TrimSuffix(expr, "$"), "^") {
	case ".*", ".+", "(.*)", "(.+)", ".*?", ".+?":
		return true
	case "", ".":
		return !strings.HasPrefix(expr, "^") || !strings.HasSuffix(expr, "$")
	}
	return false
}

func (c *check) sign(at Path) {
	sign := c.object(at.With("sign"))
	if sign == nil || c.object(at.With("build")) != nil || c.str(at.With("sign", "unsignedImage")) != "" {
		return
	}
	c.errorf("sign-without-image", at.With("sign"), "add build, or sign.unsignedImage",
		"no image to sign; KMM accepts this and fails later")
}
