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
	"unicode/utf16"

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
	long := moduletest.KO{Kernel: strings.Repeat("6", 1<<20)}.Bytes()
	for name, data := range map[string][]byte{
		"sections on top of each other":            overlapping(ko),
		"section headers on top of the header":     patched(ko, 40, 0),
		"as many section headers as there can be":  patched16(ko, 60, 0xffff),
		"no section headers":                       patched16(ko, 60, 0),
		"more section headers than the field says": patched16(patched16(ko, 60, 0), 62, 0xffff), // counts are in section 0 then, which no kernel reads
		"names in a section that is not there":     patched16(ko, 62, 0xff00),
		"section headers of another size":          patched16(ko, 58, 40),
		"section headers at an odd place":          patched(ko, 40, binary.LittleEndian.Uint64(ko[40:])-1),
		"section headers beyond what can be":       patched(ko, 40, ^uint64(0)-64),
		".modinfo that does not end":               unended(ko),
		".modinfo of zeros":                        filled(ko, 0),
		".modinfo without an equals sign":          filled(ko, 'a'),
		"vermagic of a megabyte":                   long,
		"a name with control characters":           moduletest.KO{Name: "pf_ring\x1b[2J\n\u202e"}.Bytes(),
		"a name that leads elsewhere":              moduletest.KO{Name: "../../pf_ring"}.Bytes(),
	} {
		info, err := module.Inspect(data)
		if err == nil {
			err = info.Check(moduletest.Kernel, "amd64", "pf_ring")
		}
		switch reason(err) {
		case "", outcome.NotAModule, outcome.Truncated, outcome.WrongModule, outcome.WrongKernel:
		default:
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (info.Name != "pf_ring" || info.KernelRelease != moduletest.Kernel) {
			t.Errorf("%s: it is taken as %+v", name, info)
		}
		if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\n\u202e")) {
			t.Errorf("%s: a message of %d bytes: %.300q", name, len(err.Error()), err)
		}
	}
}

// modinfo is where .modinfo, the second section, lies.
func modinfo(ko []byte) []byte {
	header := ko[binary.LittleEndian.Uint64(ko[40:])+64:]
	at, size := binary.LittleEndian.Uint64(header[24:]), binary.LittleEndian.Uint64(header[32:])
	return ko[at : at+size]
}

// unended takes the zero off that ends the last field of .modinfo.
func unended(ko []byte) []byte {
	ko = bytes.Clone(ko)
	body := modinfo(ko)
	body[len(body)-1] = 'x'
	return ko
}

func filled(ko []byte, with byte) []byte {
	ko = bytes.Clone(ko)
	body := modinfo(ko)
	copy(body, bytes.Repeat([]byte{with}, len(body)))
	return ko
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

// What a signed index holds that no writer writes is refused, or read as what it is.
func TestOddIndexesAreReadOrRefused(t *testing.T) {
	t.Parallel()
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	good := string(r.Files[module.IndexName])
	with := func(field string) string { return strings.Replace(good, "{", "{"+field+",", 1) }
	for name, test := range map[string]struct {
		index string
		want  outcome.Reason
	}{
		"a field of another form":          {with(`"later":{"a":[1,{"b":null}]}`), ""},
		"a million fields of another form": {with(strings.Repeat(`"later":0,`, 1_000_000) + `"last":0`), ""},
		"a field in other letters":         {with(`"Serial":9,"MODULES":[]`), ""},
		"schemaVersion twice":              {with(`"schemaVersion":1`), outcome.SourceInvalid},
		"modules twice":                    {with(`"modules":[]`), outcome.SourceInvalid},
		"modules twice, one escaped":       {with(`"\u006dodules":[]`), outcome.SourceInvalid},
		"modules of null":                  {`{"schemaVersion":1,"module":"pf_ring","serial":1,"modules":null}`, outcome.NoModuleForKernel},
		"modules of modules":               {strings.Replace(good, `"modules":[`, `"modules":[[`, 1), outcome.SourceInvalid},
		"nested deeper than can be read":   {with(`"later":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), outcome.SourceInvalid},
		"nested objects":                   {with(`"later":` + strings.Repeat(`{"a":`, 20_000) + "0" + strings.Repeat("}", 20_000)), outcome.SourceInvalid},
		"a number beyond all":              {with(`"later":1e400`), ""},
		"a serial beyond all":              {strings.Replace(good, `"serial":1`, `"serial":1e400`, 1), outcome.SourceInvalid},
		"a serial that is a fraction":      {strings.Replace(good, `"serial":1`, `"serial":1.5`, 1), outcome.SourceInvalid},
		"a serial that overflows":          {strings.Replace(good, `"serial":1`, `"serial":9223372036854775808`, 1), outcome.SourceInvalid},
		"a serial that is a text":          {strings.Replace(good, `"serial":1`, `"serial":"1"`, 1), outcome.SourceInvalid},
		"a size beyond all":                {strings.Replace(good, `"size":`, `"size":1e30,"x":`, 1), outcome.SourceInvalid},
		"a size of a text":                 {strings.Replace(good, `"size":`, `"size":"1","x":`, 1), outcome.SourceInvalid},
		"an end in the year 10000":         {with(`"expires":"10000-01-01T00:00:00Z"`), outcome.SourceInvalid},
		"an end that is a number":          {with(`"expires":1893456000`), outcome.SourceInvalid},
		"half a character":                 {strings.Replace(good, `"pf_ring"`, `"pf_ring\ud800"`, 1), outcome.SourceInvalid},
		"bytes that are no text":           {strings.Replace(good, `"pf_ring"`, "\"pf_ring\xff\"", 1), outcome.SourceInvalid},
		"a name of a megabyte":             {strings.Replace(good, `"pf_ring"`, `"`+strings.Repeat("a", 1<<19)+`"`, 1), outcome.SourceInvalid},
		"a path of a megabyte":             {strings.Replace(good, `"path":"`, `"path":"../`+strings.Repeat("a", 1<<19), 1), outcome.SourceInvalid},
		"a release of a megabyte":          {strings.Replace(good, `"kernelRelease":"`, `"size":0,"kernelRelease":"`+strings.Repeat("a", 1<<19), 1), outcome.NoModuleForKernel},
		"UTF-16":                           {utf16le(good), outcome.SourceInvalid},
		"a comma too many":                 {strings.Replace(good, "}]", "},]", 1), outcome.SourceInvalid},
		"a comment":                        {"// made by hand\n" + good, outcome.SourceInvalid},
		"two of them":                      {good + good, outcome.SourceInvalid},
		"zeros behind it":                  {good + "\x00", outcome.SourceInvalid},
		"blanks around it":                 {" \n" + good + "\r\n\t", ""},
	} {
		r.Files[module.IndexName] = []byte(test.index)
		_, err := get(t, r.SignFiles().Files, request(r))
		if reason(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x00\x1b")) {
			t.Errorf("%s: a message of %d bytes: %.300q", name, len(err.Error()), err)
		}
	}
}

func utf16le(text string) string {
	out := []byte("\xff\xfe")
	for _, r := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, r)
	}
	return string(out)
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
