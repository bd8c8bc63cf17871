package module_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// What an unusual file is depends on its content alone, so that every reader says
// the same of it; those of other packages read the same table.
func TestUnusualFilesAreReadWholeOrNamed(t *testing.T) {
	for _, f := range moduletest.UnusualFiles(t) {
		plain, _, err := module.Decompress(f.Data, module.DefaultMaxSize)
		if err == nil {
			_, err = module.Inspect(plain)
		}
		f.Check(t, "inspect", err)

		r := moduletest.NewRepository(t).AddFile(moduletest.Kernel, "amd64", "8.9.0", f.Data, module.FormatRaw)
		v, err := get(t, r.Sign().Files, request(r))
		f.Check(t, "get", err)
		if err == nil && !bytes.HasPrefix(v.Data, []byte("\x7fELF")) {
			t.Errorf("%s: not a module is taken", f.Name)
		}
	}
}

// Each member, stream or frame takes time, so that a file of a few MB that is made of
// nothing else would keep a node busy for minutes.
func TestAFileOfManyPiecesIsRefused(t *testing.T) {
	const many = 70_000
	one := []byte("k")
	for _, format := range formats()[1:] {
		piece, _ := moduletest.Compress(t, one, format)
		_, _, err := module.Decompress(bytes.Repeat(piece, many), module.DefaultMaxSize)
		if reason(err) != outcome.NotAModule || !strings.Contains(err.Error(), "pieces") {
			t.Errorf("%s: %v", format, err)
		}
		if plain, _, err := module.Decompress(bytes.Repeat(piece, 1000), module.DefaultMaxSize); err != nil || len(plain) != 1000 {
			t.Errorf("%s: %d bytes, %v", format, len(plain), err)
		}
	}
	skippable := bytes.Repeat([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"), many)
	if _, _, err := module.Decompress(skippable, module.DefaultMaxSize); reason(err) != outcome.NotAModule || !strings.Contains(err.Error(), "pieces") {
		t.Errorf("skippable frames: %v", err)
	}
}

func TestOddSectionsAreReadOrRefused(t *testing.T) {
	ko := moduletest.KO{Padding: 5000}.Bytes()
	for name, data := range map[string][]byte{
		"sections on top of each other":           overlapping(ko),
		"section headers on top of the header":    patched(ko, 40, 0),
		"as many section headers as there can be": patched16(ko, 60, 0xffff),
	} {
		if _, err := module.Inspect(data); err != nil && reason(err) != outcome.NotAModule && reason(err) != outcome.Truncated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// overlapping makes all sections but the first begin where the second does.
func overlapping(ko []byte) []byte {
	ko = bytes.Clone(ko)
	table, count := binary.LittleEndian.Uint64(ko[40:]), int(binary.LittleEndian.Uint16(ko[60:]))
	at := func(i int) []byte { return ko[int(table)+64*i+24:] }
	for i := 2; i < count; i++ {
		copy(at(i)[:8], at(1)[:8])
	}
	return ko
}

func patched(ko []byte, at int, value uint64) []byte {
	ko = bytes.Clone(ko)
	binary.LittleEndian.PutUint64(ko[at:], value)
	return ko
}

func patched16(ko []byte, at int, value uint16) []byte {
	ko = bytes.Clone(ko)
	binary.LittleEndian.PutUint16(ko[at:], value)
	return ko
}

// A signature is one over bytes: the same index written otherwise is another one.
func TestASignatureDoesNotCoverAnotherSerialisation(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	var indented bytes.Buffer
	if err := json.Indent(&indented, r.Files[module.IndexName], "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want outcome.Reason
	}{
		"indented":          {indented.Bytes(), outcome.SignatureInvalid},
		"with a line's end": {append(bytes.Clone(r.Files[module.IndexName]), '\n'), outcome.SignatureInvalid},
		// JSON does not begin with one, so it is not an index, whoever wrote it.
		"with a byte order mark": {append([]byte("\xef\xbb\xbf"), r.Files[module.IndexName]...), outcome.SourceInvalid},
	} {
		files := maps.Clone(r.Files)
		files[module.IndexName] = test.data
		if _, err := get(t, files, request(r)); reason(err) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAByteOrderMarkIsNamed(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	r.Files[module.IndexName] = append([]byte("\xef\xbb\xbf"), r.Files[module.IndexName]...)
	_, err := get(t, r.SignFiles().Files, request(r))
	if reason(err) != outcome.SourceInvalid || !strings.Contains(err.Error(), "byte order mark") {
		t.Errorf("signed with a byte order mark: %v", err)
	}
}

// Of keys that stand twice in a signed index the checks and the loader see the same.
func TestAKeyThatStandsTwiceIsOneValue(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	r.Files[module.IndexName] = bytes.Replace(r.Files[module.IndexName], []byte(`"serial":1`), []byte(`"serial":9,"serial":1`), 1)
	q := request(r)
	q.MinSerial = 5
	if v, err := get(t, r.SignFiles().Files, q); err == nil && v.Serial < 5 {
		t.Errorf("serial %d is taken, and at least 5 is asked for", v.Serial)
	}
}

// What is at the place of a module in a folder: a loop of links, a link that leaves,
// a file of a terabyte of nothing, one whose name differs in case.
func TestOddFilesInAFolderAreRefused(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"links in a circle":  func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"a link that leaves": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"a terabyte of nothing": func(path string) error {
			f, err := os.Create(path)
			if err == nil {
				err = f.Truncate(1 << 40)
				_ = f.Close()
			}
			return err
		},
		"another case": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "PF_RING.ko.zst"), nil, 0o600)
		},
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		dir := t.TempDir()
		r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
		r.Write(dir)
		path := filepath.Join(dir, r.Index.Modules[0].Path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := put(path); err != nil {
			t.Logf("%s: not possible here: %v", name, err)
			continue
		}
		source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := module.Get(t.Context(), source, request(r)); reason(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
