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

// maxWindow bounds, in bytes, the window that a zstd file may ask its decoder
// for where it does not say how large it is: zstd --long uses one of 128 MiB.
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
	return decompress(data, Request{MaxSize: max})
}

// decompress is Decompress within the bounds of r. How large the file is becomes
// known before room is made for it, so that a buffer never doubles.
func decompress(data []byte, r Request) ([]byte, string, error) {
	format := Format(data)
	switch size, window, err := unpackedSize(format, data, r); {
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
		plain, err := unpack(format, data, size)
		if err != nil {
			return nil, format, broken(format, err)
		}
		return plain, format, nil
	}
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
		if err := h.Decode(data); err == nil && h.HasFCS && h.FrameContentSize > 0 && frames(data) == 1 {
			return int64(min(h.FrameContentSize, 1<<62)), 0, nil
		}
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
		return gzip.NewReader(src)
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
		d, err := gzip.NewReader(bytes.NewReader(data))
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

// frames counts the frames of a zstd file, no further than two: the size that
// the first one states is that of the file only when it is alone.
func frames(data []byte) int {
	var h zstd.Header
	if h.Decode(data) != nil || h.Skippable {
		return 2
	}
	at := h.HeaderSize
	for last := false; !last; {
		if at+3 > len(data) {
			return 1 // cut short, which its decoder tells
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
	if at < len(data) {
		return 2
	}
	return 1
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
	default:
		e.Reason = outcome.NotAModule
		e.Do = "Compress it again, with xz and no filter but LZMA2 (no --x86), with zstd or with gzip."
	}
	return e
}
