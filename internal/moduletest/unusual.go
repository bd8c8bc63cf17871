package moduletest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Unusual is a file that tools seldom write.
type Unusual struct {
	Name string
	Data []byte
	// Reason and Says are what a reader's error has; "" where it is a module.
	Reason outcome.Reason
	Says   string
}

// Check compares what a reader says of the file with what it is.
func (u Unusual) Check(t testing.TB, reader string, err error) {
	t.Helper()
	var e *module.Error
	switch {
	case u.Reason == "" && err != nil:
		t.Errorf("%s: %s: %v", reader, u.Name, err)
	case u.Reason == "":
	case !errors.As(err, &e) || e.Reason != u.Reason || !strings.Contains(err.Error(), u.Says):
		t.Errorf("%s: %s: must be %s (%q), got %v", reader, u.Name, u.Reason, u.Says, err)
	}
}

// UnusualFiles are compressed modules that end, begin or are put together as
// tools seldom do it, and what each of them is. pzstd puts skippable frames
// between its frames, and pigz and cat write several members.
func UnusualFiles(t testing.TB) []Unusual {
	t.Helper()
	ko := KO{Padding: 5000}.Bytes()
	packed := func(data []byte, format string) []byte {
		out, _ := Compress(t, data, format)
		return out
	}
	zst, gz, xz := packed(ko, module.FormatZst), packed(ko, module.FormatGz), packed(ko, module.FormatXz)
	halves := func(format string, between ...byte) []byte {
		return slices.Concat(packed(ko[:len(ko)/2], format), between, packed(ko[len(ko)/2:], format))
	}
	skippable := append([]byte{0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0}, "text"...)
	behind := func(n string) string { return "there are " + n + " trailing bytes after the compressed module" }
	const good, cut, not = "", outcome.Truncated, outcome.NotAModule
	return []Unusual{
		{"zstd with a skippable frame before", slices.Concat(skippable, zst), good, ""},
		{"zstd with a hundred skippable frames before", slices.Concat(slices.Repeat(skippable, 100), zst), good, ""},
		{"zstd with a skippable frame behind", slices.Concat(zst, skippable), good, ""},
		{"zstd in two frames", halves(module.FormatZst), good, ""},
		{"zstd in two frames, and a skippable one between", halves(module.FormatZst, skippable...), good, ""},
		{"zstd with only skippable frames", slices.Repeat(skippable, 100), not, "there is nothing in it"},
		{"zstd with a skippable frame that is cut", skippable[:10], cut, "ends too early"},
		{"zstd with a skippable frame longer than the file", append([]byte("\x50\x2a\x4d\x18\xff\xff\xff\xff"), zst...), cut, "ends too early"},
		{"zstd whose second frame is cut", slices.Concat(zst, zst[:20]), cut, "ends too early"},
		{"zstd whose second frame is cut in its first bytes", slices.Concat(zst, zst[:2]), cut, "ends too early"},
		{"zstd that asks for a dictionary", slices.Concat(zst[:4], []byte{zst[4] | 3}, zst[5:]), not, "zst"},
		{"zstd with garbage behind", slices.Concat(zst, []byte("garbage")), not, behind("7")},
		{"zstd with a byte behind", slices.Concat(zst, []byte{0}), not, behind("1")},
		{"lz4 behind a skippable frame", slices.Concat(skippable, []byte("\x04\x22\x4d\x18")), not, "not begin like an ELF file"},
		{"gzip in two members", halves(module.FormatGz), good, ""},
		{"gzip whose second member is cut", slices.Concat(gz, gz[:20]), cut, "ends too early"},
		{"gzip whose second member is cut in its first bytes", slices.Concat(gz, gz[:1]), cut, "ends too early"},
		{"gzip with garbage behind", slices.Concat(gz, []byte("garbage")), not, behind("7")},
		{"gzip with more garbage behind", slices.Concat(gz, []byte("garbage that is longer than a header")), not, behind("36")},
		{"gzip with zeros behind", slices.Concat(gz, make([]byte, 512)), not, behind("512")},
		{"gzip with nothing in it", packed(nil, module.FormatGz), not, "there is nothing in it"},
		{"xz in two streams", halves(module.FormatXz), good, ""},
		{"xz in two streams, and padding between", halves(module.FormatXz, 0, 0, 0, 0), good, ""},
		{"xz with padding behind", slices.Concat(xz, make([]byte, 8)), good, ""},
		{"xz with padding of a wrong length", slices.Concat(xz, []byte{0, 0, 0}), not, behind("3")},
		{"xz whose second stream is cut", slices.Concat(xz, xz[:20]), cut, "ends too early"},
		{"xz whose second stream is cut in its first bytes", slices.Concat(xz, make([]byte, 4), xz[:3]), cut, "ends too early"},
		{"xz with garbage behind", slices.Concat(xz, []byte("garbage")), not, behind("7")},
		{"xz with garbage of an even length behind", slices.Concat(xz, []byte("garbage.")), not, behind("8")},
		{"xz with nothing in it", packed(nil, module.FormatXz), not, "there is nothing in it"},
		{"gzip in zstd", packed(gz, module.FormatZst), not, "compressed twice: within it is gz"},
		{"zstd in xz", packed(zst, module.FormatXz), not, "compressed twice: within it is zst"},
		{"xz in gzip", packed(xz, module.FormatGz), not, "compressed twice: within it is xz"},
		{"bzip2", []byte("BZh91AY&SY"), not, "like bzip2"},
		{"a zip archive", []byte("PK\x03\x04\x14\x00"), not, "like a zip archive"},
		{"a pointer of Git LFS", []byte("version https://git-lfs.github.com/spec/v1\n"), not, "Git LFS"},
		{"an error page", []byte("<html><body>404</body></html>"), not, "<html>"},
		{"an empty file in zstd", []byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"), not, "there is nothing in it"},
		{"the first bytes of zstd", zst[:4], cut, "ends too early"},
		{"the first bytes of gzip", gz[:2], cut, "ends too early"},
		{"the first bytes of xz", xz[:6], cut, "ends too early"},
	}
}
