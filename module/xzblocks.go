package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/module/internal/magic"
)

// The sizes in bytes of an .xz stream's header and footer, which are alike;
// https://tukaani.org/xz/xz-file-format.txt has the format.
const xzEdge = 12

// xzBlock is one block of an .xz file.
type xzBlock struct {
	// header is the block header's place in the file, and its size, in bytes.
	header, headerSize int
	// size is how many bytes are in the block, as the file's index says.
	size int64
	// code is the place within the header of the dictionary's size; 0 where the
	// block has another filter than LZMA2, which the decoder refuses.
	code int
	// dictionary is what the header asks for, in bytes.
	dictionary int64
}

// window is how many bytes the decoder needs of the dictionary: what lies
// further back than the block's beginning is never referred to.
func (b xzBlock) window() int64 {
	if code := narrowest(b.size); b.code > 0 && xzDictionary(code) < b.dictionary {
		return xzDictionary(code)
	}
	return b.dictionary
}

// xzBlocks lists the blocks of an .xz file, by the index at the end of each of
// its streams. io.ErrUnexpectedEOF says that an end is missing.
func xzBlocks(data []byte) ([]xzBlock, error) {
	var streams [][]xzBlock // the last first
	count := 0
	for end := len(data); end > 0; {
		for end >= 4 && binary.LittleEndian.Uint32(data[end-4:]) == 0 {
			end -= 4 // padding between streams
		}
		blocks, start, err := xzStream(data[:end])
		if err != nil {
			return nil, err
		}
		streams, end = append(streams, blocks), start
		if count += max(1, len(blocks)); count > maxPieces {
			return nil, errPieces
		}
	}
	slices.Reverse(streams)
	return slices.Concat(streams...), nil
}

// xzEnd is where an .xz file ends, with the padding that it may have: behind its
// last footer. That is the end of data unless other bytes follow, or its own end
// is missing.
func xzEnd(data []byte) int {
	le := binary.LittleEndian
	for end := len(data) &^ 3; end >= 2*xzEdge; end -= 4 {
		footer := data[end-xzEdge : end]
		if string(footer[10:]) != "YZ" || crc32.ChecksumIEEE(footer[4:10]) != le.Uint32(footer) {
			continue
		}
		behind := bytes.TrimLeft(data[end:], "\x00")
		if padding := len(data) - end - len(behind); len(behind) > 0 && magic.GoesOn(FormatXz, behind) || len(behind) == 0 && padding%4 == 0 {
			return len(data)
		}
		return end
	}
	return len(data)
}

var errXz = errors.New("its blocks are not where its index says")

// xzStream reads the index of the last stream in data.
func xzStream(data []byte) (blocks []xzBlock, start int, err error) {
	le := binary.LittleEndian
	if len(data) < 2*xzEdge || !bytes.HasSuffix(data, []byte("YZ")) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	footer := data[len(data)-xzEdge:]
	size := (int64(le.Uint32(footer[4:])) + 1) * 4
	if crc32.ChecksumIEEE(footer[4:10]) != le.Uint32(footer) || size > int64(len(data)-2*xzEdge) {
		return nil, 0, errXz
	}
	end := len(data) - xzEdge - int(size)
	records, total, err := xzRecords(data[end : end+int(size)])
	if err != nil {
		return nil, 0, err
	}
	if total > int64(end-xzEdge) {
		return nil, 0, errXz
	}
	start = end - int(total) - xzEdge
	at := start + xzEdge
	for _, r := range records {
		b, err := xzHeader(data[:end], at)
		if err != nil {
			return nil, 0, err
		}
		b.size = r.size
		blocks = append(blocks, b)
		at += int(r.stored)
	}
	return blocks, start, nil
}

// xzRecord is a block in a stream's index: stored takes it in the file, with
// its padding, and size are in it.
type xzRecord struct{ stored, size int64 }

func xzRecords(index []byte) (records []xzRecord, total int64, err error) {
	body := index[:len(index)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(index[len(index)-4:]) || len(body) < 2 || body[0] != 0 {
		return nil, 0, errXz
	}
	rest := body[1:]
	number := func() int64 {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > math.MaxInt64/4 {
			err = errXz
			return 0
		}
		rest = rest[used:]
		return int64(n)
	}
	count := number()
	for ; count > 0 && err == nil; count-- {
		stored, size := number(), number()
		r := xzRecord{(stored + 3) / 4 * 4, size}
		if total += r.stored; stored <= 0 || total > math.MaxInt32 || size > math.MaxInt64/1024 {
			return nil, 0, errXz
		}
		records = append(records, r)
	}
	return records, total, err
}

// xzHeader reads the header of the block at a place in data.
func xzHeader(data []byte, at int) (xzBlock, error) {
	if at >= len(data) {
		return xzBlock{}, errXz
	}
	b := xzBlock{header: at, headerSize: (int(data[at]) + 1) * 4}
	if data[at] == 0 || at+b.headerSize > len(data) {
		return xzBlock{}, errXz
	}
	header := data[at : at+b.headerSize]
	if crc32.ChecksumIEEE(header[:b.headerSize-4]) != binary.LittleEndian.Uint32(header[b.headerSize-4:]) {
		return xzBlock{}, errXz
	}
	if b.code = xzDictionaryCode(header); b.code > 0 {
		b.dictionary = xzDictionary(header[b.code])
	}
	return b, nil
}

// xzDictionaryCode finds the code of the dictionary's size in a block header
// with LZMA2 as its only filter; 0 in any other.
func xzDictionaryCode(header []byte) int {
	const (
		compressedSize, uncompressedSize = 0x40, 0x80
		lzma2                            = 0x21
	)
	flags, at, end := header[1], 2, len(header)-4
	for _, flag := range []byte{compressedSize, uncompressedSize} {
		if flags&flag == 0 {
			continue
		}
		_, n := binary.Uvarint(header[at:end])
		if n <= 0 {
			return 0
		}
		at += n
	}
	if flags&0x3f != 0 || end-at < 3 || header[at] != lzma2 || header[at+1] != 1 || header[at+2] > 40 {
		return 0
	}
	return at + 2
}

// xzDictionary is the size in bytes that a code stands for.
func xzDictionary(code byte) int64 {
	if code >= 40 {
		return math.MaxUint32
	}
	return (2 | int64(code&1)) << (code/2 + 11)
}

// narrowest is the code of the smallest dictionary that holds size bytes.
func narrowest(size int64) byte {
	var code byte
	for code < 40 && xzDictionary(code) < size {
		code++
	}
	return code
}

// xzNarrowed is data with no block asking for a dictionary larger than the block
// itself: the decoder allocates what a header says, up to 4 GiB, whereas what is
// in the file is known.
func xzNarrowed(data []byte, blocks []xzBlock) io.Reader {
	var pieces []io.Reader
	from := 0
	for _, b := range blocks {
		if b.window() == b.dictionary {
			continue
		}
		header := bytes.Clone(data[b.header : b.header+b.headerSize])
		header[b.code] = narrowest(b.size)
		binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
		pieces = append(pieces, bytes.NewReader(data[from:b.header]), bytes.NewReader(header))
		from = b.header + b.headerSize
	}
	return io.MultiReader(append(pieces, bytes.NewReader(data[from:]))...)
}
