package module

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/kubeshark/kubeshark-pfring/module/internal/magic"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Formats that Decompress tells.
const (
	FormatRaw = magic.Raw
	FormatGz  = magic.Gz
	FormatXz  = magic.Xz
	FormatZst = magic.Zst
)

// maxWindow bounds, in bytes, the window that a zstd file may ask its decoder
// for where it does not say how large it is: zstd --long uses one of 128 MiB.
const maxWindow = 64 << 20

// maxPieces bounds the members, blocks and frames of a compressed file, each of
// which takes time even if there is nothing in it. Tools write one for 64 KiB or more.
const maxPieces = 1 << 16

var errPieces = fmt.Errorf("it is in more than %d pieces", maxPieces)

// Format tells how data is compressed, by its first bytes and never by a name.
func Format(data []byte) string { return magic.Compression(data) }

// Decompress returns data without its compression, and which it was; data of
// no known compression comes back as it is. More than max bytes is an *Error
// with reason too-large, and no more than that is ever held; a stream that ends
// too early has reason truncated, and one that is damaged, empty, compressed twice
// or followed by other bytes has not-a-module.
func Decompress(data []byte, max int64) ([]byte, string, error) {
	return decompress(data, Request{MaxSize: max})
}

// decompress is Decompress within the bounds of r. How large the file is becomes
// known before room is made for it, so that a buffer never doubles.
func decompress(data []byte, r Request) ([]byte, string, error) {
	format := Format(data)
	body := data[:end(format, data)]
	switch size, window, err := unpackedSize(format, body, r); {
	case err != nil:
		return nil, format, broken(format, err)
	case size > r.MaxSize:
		return nil, format, tooLargeFor(r, "read the module", fmt.Sprintf("uncompressed (%s) it has more than %d bytes", format, r.MaxSize), int64(len(data))+size+window)
	case format == FormatRaw:
		return data, format, nil
	case r.Memory > 0 && int64(len(data))+size+window > r.Memory:
		return nil, format, tooLargeFor(r, "decompress the module",
			fmt.Sprintf("%d bytes of %s and the %d bytes in them do not fit into this container's memory", len(data), format, size), int64(len(data))+size+window)
	default:
		plain, err := unpack(format, body, size)
		if err == nil {
			err = unusual(plain, data[len(body):])
		}
		if err != nil {
			return nil, format, broken(format, err)
		}
		return plain, format, nil
	}
}

// unusual is an error about what a compressed file of one module never has.
func unusual(plain, behind []byte) error {
	switch inner := Format(plain); {
	case len(behind) > 0:
		return trailing(len(behind))
	case len(plain) == 0:
		return errors.New("there is nothing in it")
	case inner != FormatRaw:
		return twice(inner)
	}
	return nil
}

// trailing says how many bytes follow a compressed module.
type trailing int

func (n trailing) Error() string {
	return fmt.Sprintf("there are %d trailing bytes after the compressed module", int(n))
}

// twice says which compression is within another.
type twice string

func (inner twice) Error() string { return "it is compressed twice: within it is " + string(inner) }

// end is where in data its compression ends, as far as that shows before it is
// decompressed: what is behind does not belong to it.
func end(format string, data []byte) int {
	switch format {
	case FormatXz:
		return xzEnd(data)
	case FormatZst:
		if _, end := frames(data); end > 0 && !magic.GoesOn(format, data[end:]) {
			return end
		}
	}
	return len(data)
}

// unpackedSize tells how many bytes are in data, or that they are more than r
// takes, and how many more its decoder holds beside the result.
func unpackedSize(format string, data []byte, r Request) (size, window int64, err error) {
	switch format {
	case FormatRaw:
		return int64(len(data)), 0, nil
	case FormatXz:
		blocks, err := xzBlocks(data)
		if err != nil {
			return 0, 0, err
		}
		for _, b := range blocks {
			size += b.size
			window = max(window, b.window())
		}
		return size, window, nil
	case FormatZst:
		var h zstd.Header
		if err := h.Decode(data); err == nil && h.HasFCS && h.FrameContentSize > 0 && alone(data) {
			return int64(min(h.FrameContentSize, 1<<62)), 0, nil
		}
	}
	if format == FormatZst && pieces(data) > maxPieces {
		return 0, 0, errPieces
	}
	// It has to be tried: once without keeping anything.
	d, err := decoder(format, data, r)
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	size, err = io.Copy(io.Discard, io.LimitReader(d, r.MaxSize+1))
	return size, 0, err
}

func decoder(format string, data []byte, r Request) (io.ReadCloser, error) {
	src := bytes.NewReader(data)
	if format == FormatGz {
		return newMembers(src)
	}
	window := int64(maxWindow)
	if r.Memory > 0 {
		window = max(zstd.MinWindowSize, min(window, (r.Memory-int64(len(data)))/2))
	}
	d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(uint64(window)))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// unpack decompresses data, in which there are size bytes, into just as many.
func unpack(format string, data []byte, size int64) ([]byte, error) {
	plain := make([]byte, size)
	switch format {
	case FormatZst:
		// As a whole, the result is the window.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(1<<31), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(data, plain[:0])
	case FormatXz:
		blocks, err := xzBlocks(data)
		if err != nil {
			return nil, err
		}
		d, err := xz.ReaderConfig{DictCap: 1 << 12}.NewReader(xzNarrowed(data, blocks))
		if err != nil {
			return nil, err
		}
		return fill(plain, d)
	default:
		d, err := newMembers(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return fill(plain, d)
	}
}

// fill reads as many bytes as plain has, and then the end.
func fill(plain []byte, r io.Reader) ([]byte, error) {
	if _, err := io.ReadFull(r, plain); err != nil {
		return nil, err
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return nil, errors.New("it contains more than it declares")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return plain, nil
}

// members reads a gzip file of one or more members. Unlike gzip's own reader it
// tells bytes behind the last of them from a member that is cut short.
type members struct {
	*gzip.Reader
	src   *bytes.Reader
	count int
}

func newMembers(src *bytes.Reader) (*members, error) {
	d, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	d.Multistream(false)
	return &members{d, src, 1}, nil
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !errors.Is(err, io.EOF) || m.src.Len() == 0 {
		return n, err
	}
	var next [2]byte
	k, _ := m.src.ReadAt(next[:], m.src.Size()-int64(m.src.Len())) // it may be one byte
	if !magic.GoesOn(FormatGz, next[:k]) {
		return n, trailing(m.src.Len())
	}
	if m.count++; m.count > maxPieces {
		return n, errPieces
	}
	if err := m.Reset(m.src); err != nil {
		return n, cut(err)
	}
	m.Multistream(false)
	return n, nil
}

// cut is err, where the end of the file is one that comes too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// alone tells whether data is one zstd frame: the size that a frame states is
// then that of the file.
func alone(data []byte) bool {
	count, end := frames(data)
	return count == 1 && end == len(data) && magic.Skippable(data) == 0
}

// pieces counts the frames of a zstd file, skippable ones too.
func pieces(data []byte) (count int) {
	for len(data) > 0 {
		size := magic.Skippable(data)
		if size == 0 {
			size = frame(data)
		}
		if size == 0 {
			break
		}
		data = data[min(size, len(data)):]
		count++
	}
	return count
}

// frames counts the whole frames of a zstd file that are not skippable ones, and
// tells where the last frame ends.
func frames(data []byte) (count, end int) {
	for end < len(data) {
		skip := magic.Skippable(data[end:])
		size := skip
		if skip == 0 {
			size = frame(data[end:])
		}
		if size == 0 || size > len(data)-end {
			return count, end
		}
		if skip == 0 {
			count++
		}
		end += size
	}
	return count, end
}

// frame is the size in bytes of the zstd frame that data begins with, which may
// be more than there are; 0 if it does not begin with one.
func frame(data []byte) int {
	var h zstd.Header
	if h.Decode(data) != nil {
		return 0
	}
	at := h.HeaderSize
	for last := false; !last; {
		if at+3 > len(data) {
			return at + 3
		}
		header := int(data[at]) | int(data[at+1])<<8 | int(data[at+2])<<16
		last = header&1 != 0
		at += 3
		if kind := header >> 1 & 3; kind == 1 { // a run of one byte
			at++
		} else {
			at += header >> 3
		}
	}
	if h.HasCheckSum {
		at += 4
	}
	return at
}

func broken(format string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	e := &Error{Reason: outcome.Truncated, What: "decompress the module", Why: format + ": " + err.Error(), Err: err}
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		e.Reason = outcome.TooLarge
		e.Do = "Compress it with a smaller window, such as by zstd -19 without --long."
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Why = format + ": the file ends too early"
	case errors.As(err, new(trailing)):
		e.Reason = outcome.NotAModule
		e.Do = "Compress the module again, into a separate file."
	case errors.As(err, new(twice)):
		e.Reason = outcome.NotAModule
		e.Do = "Compress the module once."
	default:
		e.Reason = outcome.NotAModule
		e.Do = "Compress it again, with xz and no filter but LZMA2 (no --x86), with zstd or with gzip."
	}
	return e
}
