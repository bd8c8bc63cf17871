package module

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var errDictionary = errors.New("it wants a dictionary of more than 64 MiB")

// maxXzDictionary is xz's code for a dictionary of 64 MiB.
const maxXzDictionary = 28

// checkXzDictionary refuses a file in which any block asks for a larger
// dictionary. The decoder allocates what a block header says, up to 4 GiB, and
// takes no bound. Where a later block starts is known only after decoding the
// one before, so every place is tried where one can: a header ends with its
// own checksum, which tells it from data.
func checkXzDictionary(data []byte) error {
	for o := 0; o+8 <= len(data); o += 4 {
		size := (int(data[o]) + 1) * 4
		if data[o] == 0 || o+size > len(data) {
			continue
		}
		header := data[o : o+size]
		if code, ok := xzDictionary(header); !ok || code <= maxXzDictionary {
			continue
		}
		if crc32.ChecksumIEEE(header[:size-4]) == binary.LittleEndian.Uint32(header[size-4:]) {
			return errDictionary
		}
	}
	return nil
}

// xzDictionary reads the dictionary's code from a block header with LZMA2 as
// its only filter, which is the only kind that the decoder takes.
func xzDictionary(header []byte) (code byte, ok bool) {
	const (
		compressedSize, uncompressedSize = 0x40, 0x80
		lzma2                            = 0x21
	)
	flags, rest := header[1], header[2:len(header)-4]
	for _, flag := range []byte{compressedSize, uncompressedSize} {
		if flags&flag == 0 {
			continue
		}
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, false
		}
		rest = rest[n:]
	}
	if flags&0x3f != 0 || len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 {
		return 0, false
	}
	return rest[2], true
}
