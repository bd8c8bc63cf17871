package module

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Formats that Decompress tells.
const (
	FormatRaw = "raw"
	FormatGz  = "gz"
	FormatXz  = "xz"
	FormatZst = "zst"
)

// maxWindow bounds, in bytes, the memory that a compressed file may ask a
// decoder for: xz -9 uses a dictionary of 64 MiB, zstd --long one of 128.
const maxWindow = 64 << 20

// Format tells how data is compressed, by its first bytes.
func Format(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return FormatGz
	case bytes.HasPrefix(data, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return FormatXz
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return FormatZst
	default:
		return FormatRaw
	}
}

// Decompress returns data without its compression, and which it was; data of
// no known compression comes back as it is. More than max bytes is an *Error
// with reason too-large, and no more than that is ever held; a broken stream
// has reason truncated.
func Decompress(data []byte, max int64) ([]byte, string, error) {
	format := Format(data)
	if format == FormatRaw {
		if int64(len(data)) > max {
			return nil, format, tooLargeInside(format, max)
		}
		return data, format, nil
	}
	if plain := zstAtOnce(format, data, max); plain != nil {
		return plain, format, nil
	}
	r, err := decoder(format, data)
	if err != nil {
		return nil, format, broken(format, err)
	}
	defer r.Close()
	var plain bytes.Buffer
	plain.Grow(int(min(max, sizeHint(format, data))) + bytes.MinRead)
	_, err = plain.ReadFrom(io.LimitReader(r, max+1))
	if int64(plain.Len()) > max {
		return nil, format, tooLargeInside(format, max)
	}
	if err != nil {
		return nil, format, broken(format, err)
	}
	return plain.Bytes(), format, nil
}

// sizeHint is how large the file says it is uncompressed, in bytes, so that a
// buffer of that size is made at once and not by doubling: an agent's memory is
// scarce. It believes no more than what modules compress to.
func sizeHint(format string, data []byte) int64 {
	size := uint64(4 * len(data))
	if format == FormatGz && len(data) >= 4 {
		size = uint64(binary.LittleEndian.Uint32(data[len(data)-4:]))
	}
	return int64(min(size, uint64(8*len(data)))) //nolint:gosec // bounded by the length of a slice
}

func decoder(format string, data []byte) (io.ReadCloser, error) {
	src := bytes.NewReader(data)
	switch format {
	case FormatGz:
		return gzip.NewReader(src)
	case FormatXz:
		if err := checkXzDictionary(data); err != nil {
			return nil, err
		}
		r, err := xz.ReaderConfig{DictCap: 1 << 16}.NewReader(src)
		return io.NopCloser(r), err
	default:
		d, err := zstd.NewReader(src, zstOptions()...)
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
}

func zstOptions() []zstd.DOption {
	return []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true)}
}

// zstAtOnce decodes a file that says how large it is, as the zstd tool's do,
// into a buffer of just that size, without the window that a stream needs. For
// any other it returns nil.
func zstAtOnce(format string, data []byte, max int64) []byte {
	var h zstd.Header
	if format != FormatZst || h.Decode(data) != nil || !h.HasFCS || h.FrameContentSize == 0 || h.FrameContentSize > uint64(max) { //nolint:gosec // a size
		return nil
	}
	d, err := zstd.NewReader(nil, append(zstOptions(), zstd.WithDecodeAllCapLimit(true))...)
	if err != nil {
		return nil
	}
	defer d.Close()
	plain, err := d.DecodeAll(data, make([]byte, 0, h.FrameContentSize))
	if err != nil {
		return nil
	}
	return plain
}

func tooLargeInside(format string, max int64) error {
	return &Error{
		Reason: outcome.TooLarge, What: "reading the module", Why: fmt.Sprintf("uncompressed (%s) it has more than %d bytes", format, max),
	}
}

func broken(format string, err error) error {
	e := &Error{Reason: outcome.Truncated, What: "decompressing the module", Why: format + ": " + err.Error(), Err: err}
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, errDictionary):
		e.Reason = outcome.TooLarge
		e.Do = "Compress it with a window of at most 64 MiB."
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Why = format + ": the file ends too early"
	default:
		e.Reason = outcome.NotAModule
		e.Do = "Compress it again, with xz and no filter but LZMA2 (no --x86), with zstd or with gzip."
	}
	return e
}
