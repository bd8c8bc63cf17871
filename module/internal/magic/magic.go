// Package magic tells by their first bytes what files are. It reads no further
// than it has to, decompresses nothing and imports nothing of this project.
package magic

import (
	"bytes"
	"encoding/binary"
)

// The compressions that are read, by the names that an index has for them.
const (
	Raw = "raw"
	Gz  = "gz"
	Xz  = "xz"
	Zst = "zst"
)

// What files of these compressions begin with. A zstd file may begin with any
// number of skippable frames, as pzstd writes them; RFC 8878, 3.1.2.
const (
	gz  = "\x1f\x8b"
	xz  = "\xfd7zXZ\x00"
	zst = "\x28\xb5\x2f\xfd"
	lz4 = "\x04\x22\x4d\x18"
	// skippable is where the first byte is 0x50 to 0x5f.
	skippable = "\x2a\x4d\x18"
)

// Compression tells how data is compressed; Raw is also what is not known here.
// Data may be no more than a file's first four bytes.
func Compression(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte(gz)):
		return Gz
	case bytes.HasPrefix(data, []byte(xz)):
		return Xz
	case bytes.HasPrefix(data, []byte(zst)):
		return Zst
	case Skippable(data) > 0:
		for n := Skippable(data); n > 0; n = Skippable(data) {
			data = data[min(n, len(data)):]
		}
		if bytes.HasPrefix(data, []byte(lz4)) { // it has the same skippable frames
			return Raw
		}
		return Zst
	}
	return Raw
}

// Skippable is the size in bytes of the skippable frame that data begins with,
// which may be more than there are; 0 if it does not begin with one.
func Skippable(data []byte) int {
	if len(data) < 4 || data[0]&0xf0 != 0x50 || string(data[1:4]) != skippable {
		return 0
	}
	if len(data) < 8 {
		return 8
	}
	return 8 + int(binary.LittleEndian.Uint32(data[4:]))
}

// GoesOn tells whether data is the beginning of one more member, stream or frame
// of a compression; data may be cut anywhere.
func GoesOn(compression string, data []byte) bool {
	switch compression {
	case Gz:
		return begins(data, gz)
	case Xz:
		return begins(data, xz)
	case Zst:
		return begins(data, zst) || Skippable(data) > 0
	}
	return false
}

// begins tells whether data begins with magic, as far as there is any.
func begins(data []byte, magic string) bool {
	n := min(len(data), len(magic))
	return string(data[:n]) == magic[:n]
}

// Known names what else may be where a kernel module should be; "" if it is
// nothing that is known.
func Known(data []byte) string {
	for _, kind := range []struct{ begin, name string }{
		{"BZh", "bzip2"},
		{lz4, "lz4"},
		{"\x5d\x00\x00", "lzma, the format before xz"},
		{"\x89LZO", "lzop"},
		{"PK\x03\x04", "a zip archive"},
		{"!<arch>\n", "a Debian package or a static library"},
		{"\xed\xab\xee\xdb", "an RPM package"},
		{"version https://git-lfs", "a pointer of Git LFS, whose file was not fetched"},
	} {
		if bytes.HasPrefix(data, []byte(kind.begin)) {
			return kind.name
		}
	}
	return ""
}
