package module

import (
	"bytes"
	"compress/gzip"
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
	r, err := decoder(format, data)
	if err != nil {
		return nil, format, broken(format, err)
	}
	defer r.Close()
	plain, err := io.ReadAll(io.LimitReader(r, max+1))
	if int64(len(plain)) > max {
		return nil, format, tooLargeInside(format, max)
	}
	if err != nil {
		return nil, format, broken(format, err)
	}
	return plain, format, nil
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
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
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
