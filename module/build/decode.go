package build

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// DefaultMark begins the lines that a script of this package prints for this
// program, where no other was agreed on in PFRING_MARK.
const DefaultMark = "pfring:"

const (
	// maxLog bounds what is read of a log, and maxLine a line of it, in bytes. A
	// build prints some 100 KiB; what goes beyond is not ours.
	maxLog  = 64 << 20
	maxLine = 16 << 10
	// maxPacked bounds the module in the log, compressed.
	maxPacked = 24 << 20
	// kept is how many lines are held for those who ask what went wrong.
	kept = 40
)

// errEndless is the problem of a log that is not a build's.
var errEndless = fmt.Errorf("the log has more than %d MiB and no module in them", maxLog>>20)

// errRotated is the problem of a log whose beginning is gone.
var errRotated = errors.New("the log has the end of a module and not its beginning: the node has rotated it")

// Record is what a build's log says.
type Record struct {
	// Step is the last that was begun.
	Step string
	// Failure is why the script gave up, in its own words; "" if it did not say.
	Failure string
	// Module is the module, checked against the sum that came with it; nil if the
	// log holds none, or not all of it, and then Problem says which.
	Module  []byte
	Problem error
	// KernelVersion is what uname -v prints on the nodes whose headers the build
	// had; "" where these do not say it.
	KernelVersion string

	errors, tail []string
}

// Steps are the steps of a build, in order.
func Steps() []string { return []string{"packages", "source", "headers", "compile", "deliver"} }

// Decode reads a build's log to its end. A log may hold anything: what a
// compiler says is as untrusted as what it compiles. step is called as each
// step begins and line for each line that is for people, with nothing in it
// that moves a terminal's cursor; both may be nil. The error is one of reading.
func Decode(r io.Reader, mark string, step, line func(string)) (*Record, error) {
	return decode(r, decoder{mark: mark, step: step, line: line})
}

func decode(r io.Reader, d decoder) (*Record, error) {
	d.max = cmp.Or(d.max, module.DefaultMaxSize)
	limited := &io.LimitedReader{R: r, N: maxLog}
	lines := bufio.NewReaderSize(limited, maxLine)
	for {
		text, err := lines.ReadSlice('\n')
		// A last line without an end is all that is left of one; of a module's it
		// tells nothing, unless it is the line after it.
		if !errors.Is(err, io.EOF) || !d.receiving || string(text) == d.mark+" end" {
			d.take(strings.TrimRight(string(text), "\r\n"))
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n') // the rest of a line that is too long
		}
		if err == nil {
			continue
		}
		d.finish(limited.N <= 0)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return &d.Record, err
	}
}

type decoder struct {
	Record
	mark       string
	step, line func(string)

	// max bounds the module, in bytes; 0 is module.DefaultMaxSize.
	max       int64
	announced int
	receiving bool
	size      int
	sum       string
	packed    bytes.Buffer
}

func (d *decoder) take(text string) {
	if rest, ours := strings.CutPrefix(text, d.mark+" "); ours {
		d.command(rest)
		return
	}
	if d.receiving {
		d.receive(text)
		return
	}
	text = printable(text)
	if text == "" {
		return
	}
	// A compiler says early in a line what is wrong. Matching all of long lines would
	// take most of a minute for a log of maxLog bytes.
	if len(d.errors) < kept && looksWrong().MatchString(text[:min(len(text), 512)]) {
		d.errors = append(d.errors, text)
	}
	if d.tail = append(d.tail, text); len(d.tail) > kept {
		d.tail = d.tail[1:]
	}
	if d.line != nil {
		d.line(text)
	}
}

func (d *decoder) command(text string) {
	name, rest, _ := strings.Cut(text, " ")
	switch name {
	case "step":
		d.Step = printable(rest)
		if d.step != nil {
			d.step(d.Step)
		}
	case "fail":
		if d.Failure == "" {
			d.Failure = printable(rest)
		}
	case "kernel-version":
		d.KernelVersion = ""
		if rest = strings.TrimSpace(rest); module.ValidKernelVersion(rest) {
			d.KernelVersion = rest
		}
	case "module":
		d.begin(rest)
	case "end":
		switch {
		case d.receiving:
			d.Module, d.Problem = d.unpack()
		case d.announced == 0:
			d.Problem = errRotated
		}
		d.receiving = false
	}
}

// begin reads the size of what follows and the sum of the module in it. A build
// prints one module: of two, neither is taken.
func (d *decoder) begin(text string) {
	d.announced++
	d.packed.Reset()
	d.Module, d.receiving = nil, false
	size, sum, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(size)
	if err != nil || n <= 0 || !hexSum().MatchString(sum) {
		d.Problem = errors.New("the log announces a module without its size")
		return
	}
	if n > maxPacked {
		d.Problem = fmt.Errorf("the log announces a module of %d MiB, compressed; the limit is %d MiB", n>>20, maxPacked>>20)
		return
	}
	d.receiving, d.size, d.sum, d.Problem = true, n, sum, nil
}

func (d *decoder) receive(text string) {
	if d.Problem != nil {
		return
	}
	part, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		d.Problem = fmt.Errorf("unexpected text inside the module: %q", printable(text[:min(len(text), 60)]))
	case d.packed.Len()+len(part) > d.size:
		d.Problem = errors.New("the module in the log is longer than announced")
	default:
		d.packed.Write(part)
	}
}

func (d *decoder) unpack() ([]byte, error) {
	switch {
	case d.Problem != nil:
		return nil, d.Problem
	case d.packed.Len() != d.size:
		return nil, fmt.Errorf("the log holds %d of the module's %d bytes", d.packed.Len(), d.size)
	}
	unzip, err := gzip.NewReader(&d.packed)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack the module: %w", err)
	}
	ko, err := io.ReadAll(io.LimitReader(unzip, d.max+1))
	if err != nil {
		return nil, fmt.Errorf("cannot unpack the module: %w", err)
	}
	if int64(len(ko)) > d.max {
		return nil, fmt.Errorf("the module is larger than %d MiB", d.max>>20)
	}
	if sum := sha256.Sum256(ko); hex.EncodeToString(sum[:]) != d.sum {
		return nil, errors.New("the module in the log is damaged: its sha256 is not the one announced")
	}
	return ko, nil
}

func (d *decoder) finish(cut bool) {
	if d.announced > 1 {
		d.Module, d.Problem = nil, fmt.Errorf("the log holds %d modules, and a build makes one", d.announced)
		return
	}
	if d.Failure != "" {
		d.Module = nil // whatever it printed before
	}
	if cut && d.Module == nil {
		d.Problem = errEndless
		return
	}
	if d.receiving && d.Problem == nil {
		d.Problem = fmt.Errorf("the log ends in the middle of the module, after %d of %d bytes", d.packed.Len(), d.size)
	}
	if d.Module == nil && d.Problem == nil {
		d.Problem = errors.New("no module found in the log")
	}
}

// looksWrong matches lines by which compilers, package managers and make say
// that something failed.
var looksWrong = lazyregexp.New(`(?i)(\b(fatal )?error\b|^E: |^W: Failed|\*\*\* |no such file|no space left|undefined (reference|!)|cannot (find|open|allocate|stat)|could not |unable to|permission denied|killed|not found|no match)`)

// Telling is the line that says most of those of a Failure: the first that speaks
// of an error, since make and the package managers only repeat that there was one;
// else the last. It is "" where there are none.
func Telling(lines []string) string {
	for _, line := range lines {
		if looksWrong().MatchString(line) {
			return line
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// Lines are those by which a person sees what went wrong: at most n that speak
// of an error, or the last ones if none does.
func (r *Record) Lines(n int) []string {
	if len(r.errors) > 0 {
		return r.errors[:min(n, len(r.errors))]
	}
	return r.tail[max(0, len(r.tail)-n):]
}

var escapes = lazyregexp.New(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)`)

// printable takes out what would move a terminal's cursor, change its colours or
// break a line.
func printable(s string) string {
	s = escapes().ReplaceAllString(s, "")
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s), " ")
}
