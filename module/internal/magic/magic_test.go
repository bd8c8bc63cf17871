package magic_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/magic"
)

const skippable = "\x50\x2a\x4d\x18\x02\x00\x00\x00ab"

func TestCompressionGoesByContent(t *testing.T) {
	for data, want := range map[string]string{
		"":                                   magic.Raw,
		"\x7fELF":                            magic.Raw,
		"\x1f\x8b\x08":                       magic.Gz,
		"\xfd7zXZ\x00":                       magic.Xz,
		"\xfd7zX":                            magic.Raw,
		"\x28\xb5\x2f\xfd":                   magic.Zst,
		skippable:                            magic.Zst,
		skippable[:4]:                        magic.Zst,
		skippable[:9]:                        magic.Zst,
		skippable[:3]:                        magic.Raw,
		"\x60" + skippable[1:]:               magic.Raw,
		skippable + "\x28\xb5\x2f\xfd":       magic.Zst,
		skippable + "\x04\x22\x4d\x18":       magic.Raw, // lz4
		"\x5f" + skippable[1:] + skippable:   magic.Zst,
		"\x50\x2a\x4d\x18\xff\xff\xff\xffab": magic.Zst,
	} {
		if got := magic.Compression([]byte(data)); got != want {
			t.Errorf("%q: %s, want %s", data, got, want)
		}
	}
}

func TestSkippableIsTheWholeFrame(t *testing.T) {
	for data, want := range map[string]int{"": 0, skippable: 10, skippable[:8]: 10, skippable[:7]: 8, "\x28\xb5\x2f\xfd": 0, "\x50\x2a\x4d\x18\xff\xff\xff\xff": 8 + 1<<32 - 1} {
		if got := magic.Skippable([]byte(data)); got != want {
			t.Errorf("%q: %d, want %d", data, got, want)
		}
	}
}

func TestGoesOnTakesABeginningThatIsCut(t *testing.T) {
	for _, c := range []struct {
		compression, data string
		want              bool
	}{
		{magic.Gz, "\x1f", true}, {magic.Gz, "\x1f\x8b\x08", true}, {magic.Gz, "\x1f\x8c", false}, {magic.Gz, "\x28\xb5\x2f\xfd", false},
		{magic.Xz, "\xfd7z", true}, {magic.Xz, "\xfd8", false},
		{magic.Zst, "\x28\xb5", true}, {magic.Zst, skippable, true}, {magic.Zst, "garbage", false},
		{magic.Raw, "\x1f\x8b", false},
	} {
		if got := magic.GoesOn(c.compression, []byte(c.data)); got != c.want {
			t.Errorf("%s %q: %v", c.compression, c.data, got)
		}
	}
}

func TestKnownNamesWhatIsNoModule(t *testing.T) {
	for data, want := range map[string]string{"\x7fELF": "", "": "", "BZh9": "bzip2", "PK\x03\x04": "a zip archive", "\x04\x22\x4d\x18": "lz4"} {
		if got := magic.Known([]byte(data)); got != want {
			t.Errorf("%q: %q", data, got)
		}
	}
}

func FuzzCompression(f *testing.F) {
	f.Add([]byte(skippable + skippable))
	f.Add([]byte("\x5f\x2a\x4d\x18\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		compression := magic.Compression(data)
		if n := magic.Skippable(data); n < 0 || n > 0 && n < 8 {
			t.Errorf("a frame of %d bytes", n)
		}
		if compression != magic.Raw && len(data) > 0 && !magic.GoesOn(compression, data) {
			t.Errorf("%q is %s, and does not begin so", data, compression)
		}
		magic.Known(data)
	})
}
