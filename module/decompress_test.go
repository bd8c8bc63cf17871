package module_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const mib = 1 << 20

func formats() []string {
	return []string{module.FormatRaw, module.FormatGz, module.FormatXz, module.FormatZst}
}

func TestDecompressReturnsTheModuleOfEachFormat(t *testing.T) {
	ko := moduletest.KO{Padding: 300_000}.Bytes()
	for _, format := range formats() {
		data, _ := moduletest.Compress(t, ko, format)
		got, told, err := module.Decompress(data, int64(len(ko)))
		if err != nil || told != format || !bytes.Equal(got, ko) {
			t.Errorf("%s: told %s, %d of %d bytes, %v", format, told, len(got), len(ko), err)
		}
		if _, _, err := module.Decompress(data, int64(len(ko))-1); reason(err) != outcome.TooLarge {
			t.Errorf("%s, one byte over the limit: %v", format, err)
		}
	}
}

func TestDecompressReadsWhatTheToolsWrite(t *testing.T) {
	ko := moduletest.KO{Padding: 100_000}.Bytes()
	for _, tool := range []string{
		"gzip -9", "xz", "xz -9e", "xz --check=crc32 --lzma2=dict=2MiB", "xz -T2 --block-size=65536", "zstd -q -19",
	} {
		out := pipe(t, tool, ko)
		got, _, err := module.Decompress(out, mib)
		if err != nil || !bytes.Equal(got, ko) {
			t.Errorf("%s: %d bytes, %v", tool, len(got), err)
		}
	}
}

func TestDecompressRefusesWhatItsDecoderCannotRead(t *testing.T) {
	_, _, err := module.Decompress(pipe(t, "xz --x86 --lzma2", moduletest.KO{}.Bytes()), mib)
	if reason(err) != outcome.NotAModule || !strings.Contains(err.Error(), "--x86") {
		t.Errorf("xz with a BCJ filter: %v", err)
	}
}

// pipe sends data through a tool of the system.
func pipe(t *testing.T, tool string, data []byte) []byte {
	t.Helper()
	args := strings.Fields(tool)
	cmd := exec.Command(args[0], append(args[1:], "-c")...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s (apt-get install gzip xz-utils zstd): %v", tool, err)
	}
	return out
}

func TestDecompressTellsAStreamThatIsCutOrDamaged(t *testing.T) {
	ko := moduletest.KO{Padding: 100_000}.Bytes()
	for _, format := range formats()[1:] {
		data, _ := moduletest.Compress(t, ko, format)
		for _, n := range []int{len(data) / 2, len(data) - 1} {
			if _, _, err := module.Decompress(data[:n], mib); reason(err) != outcome.Truncated {
				t.Errorf("%s cut at %d of %d: %v", format, n, len(data), err)
			}
		}
		flipped := bytes.Clone(data)
		flipped[len(flipped)/2] ^= 1
		got, _, err := module.Decompress(flipped, mib)
		if err == nil && bytes.Equal(got, ko) {
			t.Errorf("%s: a flipped bit changed nothing", format)
		}
		if err == nil && format != module.FormatRaw {
			t.Errorf("%s: a flipped bit went unnoticed", format)
		}
	}
}

func TestDecompressHoldsNoBomb(t *testing.T) {
	zeros := make([]byte, 64*mib)
	for _, format := range formats()[1:] {
		data, _ := moduletest.Compress(t, zeros, format)
		if len(data) > mib {
			t.Fatalf("%s: the bomb has %d bytes", format, len(data))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := module.Decompress(data, mib)
		runtime.ReadMemStats(&after)
		if reason(err) != outcome.TooLarge {
			t.Errorf("%s: %v", format, err)
		}
		allocated := after.TotalAlloc - before.TotalAlloc
		if allocated > 32*mib {
			t.Errorf("%s: %d bytes allocated to refuse a bomb of 64 MiB at a limit of 1", format, allocated)
		}
	}
}

func TestDecompressTakesNoDictionaryLargerThanTheModule(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want int
	}{
		"first block asks for 4 GiB":  {withDictionary(t, pipe(t, "xz", []byte("module")), 12, 40), 6},
		"second block asks for 4 GiB": {secondBlock(t), 10_000},
		"xz -9":                       {pipe(t, "xz -9", make([]byte, mib)), mib},
		"two streams":                 {append(pipe(t, "xz", make([]byte, 10)), pipe(t, "xz -9", make([]byte, 10))...), 20},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		plain, _, err := module.Decompress(test.data, mib)
		runtime.ReadMemStats(&after)
		if err != nil || len(plain) != test.want {
			t.Errorf("%s: %d bytes, %v", name, len(plain), err)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8*mib {
			t.Errorf("%s: %d bytes allocated for %d", name, allocated, test.want)
		}
	}
}

func secondBlock(t *testing.T) []byte {
	data := pipe(t, "xz -T1 --block-size=4096", make([]byte, 10_000))
	first := data[12 : 12+(int(data[12])+1)*4]
	at := bytes.LastIndex(data, first[:8])
	if at <= 12 {
		at = bytes.LastIndex(data, first[:2])
	}
	if at <= 12 {
		t.Fatal("xz wrote one block only")
	}
	return withDictionary(t, data, at, 40)
}

// withDictionary sets the dictionary's code in the block header at offset at.
func withDictionary(t *testing.T, data []byte, at int, code byte) []byte {
	t.Helper()
	out := bytes.Clone(data)
	header := out[at : at+(int(out[at])+1)*4]
	filter := bytes.Index(header, []byte{0x21, 1})
	if filter < 0 {
		t.Fatalf("no LZMA2 filter in % x", header)
	}
	header[filter+2] = code
	end := len(header) - 4
	binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
	return out
}

func FuzzDecompress(f *testing.F) {
	ko := moduletest.KO{}.Bytes()
	for _, format := range formats() {
		data, _ := moduletest.Compress(f, ko, format)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	for _, u := range moduletest.UnusualFiles(f) {
		f.Add(u.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		plain, _, err := module.Decompress(data, limit)
		if err != nil && reason(err) == "" {
			t.Errorf("an error without a reason: %v", err)
		}
		if len(plain) > limit {
			t.Errorf("%d bytes at a limit of %d", len(plain), limit)
		}
		if errors.Is(err, gzip.ErrHeader) && module.Format(data) != module.FormatGz {
			t.Errorf("read as gz: %v", err)
		}
	})
}
