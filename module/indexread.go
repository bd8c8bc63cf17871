package module

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bounds, in bytes, on one value of an index as it is read, and on the entries
// that a reader keeps who wants those of one kernel only.
const (
	maxIndexValue = 1 << 20
	maxIndexKept  = 4 << 20
)

// ParseIndex reads an index and checks all that needs no key, clock or network:
// the schema's version, that entries are unique, digests and sizes possible,
// and paths below the root. It fails with *Error and reason source-invalid.
func ParseIndex(data []byte) (*Index, error) {
	x, err := scanIndex(bytes.NewReader(data), nil)
	if err != nil {
		return nil, err
	}
	return &x.Index, nil
}

// scanned is an index that was read as it came.
type scanned struct {
	// Index has the entries that were asked for.
	Index
	// total counts the entries, also those that were not kept.
	total int
}

// scanIndex reads an index entry by entry, so that one of any size takes no
// memory, and keeps the entries that keep wants; nil keeps all. Every entry is
// checked; that they are unique is checked among those that are kept. It reads
// r no further than to the end of the index and what follows that.
func scanIndex(r io.Reader, keep func(*Entry) bool) (scanned, error) {
	src := &piecewise{r: r}
	d := json.NewDecoder(src)
	src.done = d.InputOffset
	s := indexScan{decoder: d, keep: keep}
	err := s.document()
	var syntax *json.SyntaxError
	if e := (*Error)(nil); errors.As(err, &e) {
		return scanned{}, err
	} else if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return scanned{}, &Error{
			Reason: outcome.SourceInvalid, What: "read " + IndexName, Err: errNoJSON,
			Why: "it is not an index: " + wordsOf(err) + "; it begins with " + beginning(src.begin),
		}
	} else if err != nil {
		return scanned{}, invalidIndex("it is not an index: " + wordsOf(err) + "; it begins with " + opening(src.begin))
	}
	if err := s.out.Validate(); err != nil {
		return scanned{}, err
	}
	return s.out, nil
}

// errNoJSON is in the chain of the error about an index that is not JSON, such
// as an error page.
var errNoJSON = errors.New("it is not JSON")

// beginning is what an index begins with, for a message.
func beginning(data []byte) string {
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return "a byte order mark: save it without one, and sign it again"
	}
	if format := Format(data); format != FormatRaw {
		return "the first bytes of " + format + ": it is stored compressed, or a proxy compresses it"
	}
	return opening(data)
}

func wordsOf(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &kind):
		return fmt.Sprintf("%s cannot be a %s", strings.TrimPrefix("the value of "+kind.Field, "the value of ."), kind.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// indexScan is one run of scanIndex.
type indexScan struct {
	decoder *json.Decoder
	keep    func(*Entry) bool
	out     scanned
	kept    int64 // bytes of what was kept
}

// document reads the object that an index is, and nothing after it.
func (s *indexScan) document() error {
	if err := s.delimiter('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for s.decoder.More() {
		token, err := s.decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // an object's keys are nothing else
		if known := slices.Contains(indexFields, key); known && seen[key] {
			return invalidIndex(fmt.Sprintf("it has two fields %q", key))
		} else if known {
			seen[key] = true // what is not read is not remembered, however much of it there is
		}
		if err := s.field(key); err != nil {
			return err
		}
	}
	if err := s.delimiter('}'); err != nil {
		return err
	}
	if _, err := s.decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected content after its end")
	}
	return nil
}

func (s *indexScan) delimiter(want json.Delim) error {
	token, err := s.decoder.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("it has %.40q, must be %q", fmt.Sprint(token), want)
	}
	return nil
}

// indexFields are the fields of an index that field reads.
var indexFields = []string{"schemaVersion", "module", "serial", "created", "expires", "modules"}

func (s *indexScan) field(key string) error {
	x := &s.out.Index
	switch key {
	case "schemaVersion":
		if err := s.decoder.Decode(&x.SchemaVersion); err != nil {
			return err
		}
		return x.readable() // what follows may be of another form
	case "module":
		return s.decoder.Decode(&x.Module)
	case "serial":
		return s.decoder.Decode(&x.Serial)
	case "created":
		return s.decoder.Decode(&x.Created)
	case "expires":
		return s.decoder.Decode(&x.Expires)
	case "modules":
		return s.modules()
	}
	var other json.RawMessage
	return s.decoder.Decode(&other)
}

func (s *indexScan) modules() error {
	token, err := s.decoder.Token()
	if err != nil || token == nil { // null is an empty list
		return err
	}
	if token != json.Delim('[') {
		return errors.New("its modules are not a list")
	}
	for s.decoder.More() {
		begin := s.decoder.InputOffset()
		var e Entry
		if err := s.decoder.Decode(&e); err != nil {
			return err
		}
		if why := e.fault(); why != "" {
			return invalidIndex(fmt.Sprintf("modules[%d] (%.100s): %s", s.out.total, printable(e.KernelRelease), why))
		}
		s.out.total++
		if s.keep != nil {
			if !s.keep(&e) {
				continue
			}
			if s.kept += s.decoder.InputOffset() - begin; s.kept > maxIndexKept {
				return invalidIndex(fmt.Sprintf("what it lists for kernel %.100s alone has more than %d bytes", printable(e.KernelRelease), maxIndexKept))
			}
		}
		s.out.Modules = append(s.out.Modules, e)
	}
	return s.delimiter(']')
}

// piecewise hands on what a decoder reads, and refuses a single value that
// would fill the memory.
type piecewise struct {
	r     io.Reader
	begin []byte       // the first bytes, for a message
	read  int64        // bytes handed on
	done  func() int64 // bytes that the decoder is done with
}

func (p *piecewise) Read(to []byte) (int, error) {
	if p.read-p.done() > maxIndexValue {
		return 0, invalidIndex(fmt.Sprintf("a single value of it has more than %d bytes", maxIndexValue))
	}
	n, err := p.r.Read(to[:min(len(to), maxIndexValue)])
	p.read += int64(n)
	if missing := 24 - len(p.begin); missing > 0 {
		p.begin = append(p.begin, to[:min(n, missing)]...)
	}
	return n, err
}

// readable tells whether this program knows the form of x.
func (x *Index) readable() error {
	switch {
	case x.SchemaVersion < 1:
		return invalidIndex("it has no schemaVersion")
	case x.SchemaVersion > IndexSchemaVersion:
		return &Error{
			Reason: outcome.SourceInvalid, What: "read " + IndexName,
			Why: fmt.Sprintf("its schemaVersion is %d, this program reads up to %d", x.SchemaVersion, IndexSchemaVersion),
			Do:  "Upgrade the chart, whose agent is older than the `pfring` that made the index, or make the index with the older one.",
		}
	}
	return nil
}

// Validate checks x as ParseIndex does.
func (x *Index) Validate() error {
	if err := x.readable(); err != nil {
		return err
	}
	switch {
	case x.Module == "":
		return invalidIndex("it does not name its module")
	case x.Serial < 0:
		return invalidIndex(fmt.Sprintf("its serial is %d", x.Serial))
	}
	type key struct{ kernel, build, vermagic, arch, version string }
	seen := make(map[key]bool, len(x.Modules))
	for n, e := range x.Modules {
		if why := e.fault(); why != "" {
			return invalidIndex(fmt.Sprintf("modules[%d] (%.100s): %s", n, printable(e.KernelRelease), why))
		}
		k := key{e.KernelRelease, e.KernelVersion, e.Vermagic, e.Arch, e.Version}
		if seen[k] {
			return invalidIndex(fmt.Sprintf("%.100s for %.100s on %.100s is listed twice", printable(e.Version), printable(e.KernelRelease), printable(e.Arch)))
		}
		seen[k] = true
	}
	return nil
}

// fault says what is wrong with e, or "".
func (e *Entry) fault() string {
	digest, err := hex.DecodeString(e.SHA256)
	switch {
	case e.KernelRelease == "":
		return "kernelRelease is empty"
	case e.Arch == "":
		return "arch is empty"
	case e.Version == "":
		return "version is empty"
	case !validPath(e.Path):
		return fmt.Sprintf("path %.300q does not lie below the repository's root", e.Path)
	case !isPrintable(e.KernelRelease, e.KernelVersion, e.Arch, e.Version, e.Path, e.Vermagic, e.Compression, e.SrcVersion):
		return "it has characters that are not printable"
	case e.Size <= 0:
		return fmt.Sprintf("size is %d", e.Size)
	case err != nil || len(digest) != 32 || e.SHA256 != strings.ToLower(e.SHA256):
		return fmt.Sprintf("sha256 %.100q is not 64 lower-case hexadecimal digits", e.SHA256)
	}
	return ""
}

// isPrintable tells whether texts have only characters that show as what they
// are: none that moves a cursor or changes the direction of writing.
func isPrintable(texts ...string) bool {
	for _, text := range texts {
		if printable(text) != text {
			return false
		}
	}
	return true
}

// validPath tells whether path lies below a root, however a source reads it.
func validPath(path string) bool {
	return path != "." && fs.ValidPath(path) && !strings.ContainsAny(path, "\\\x00?#%")
}
