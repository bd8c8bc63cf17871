package valuesschema_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestBytesThatAreNoTextAreRefusedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"NUL":               {"tap:\n  a: b\x00\n", "stdin:2:7: error: a NUL byte: this is not a YAML file in UTF-8 (yaml-syntax)"},
		"UTF-16":            {"\xff\xfet\x00a\x00p\x00", "stdin:1:4: error: a NUL byte: this is not a YAML file in UTF-8 (yaml-syntax)"},
		"Latin-1":           {"tap: {a: \xe4}\n", "stdin:1:10: error: this is not UTF-8 text (yaml-syntax)"},
		"control character": {"tap: \x01\n", "stdin:1:6: error: not valid YAML: control characters are not allowed (yaml-syntax)"},
		"very deep":         {strings.Repeat("[", 20_000), "stdin: error: nested thousands of levels deep (yaml-too-large)"},
		"deep":              {"a: " + strings.Repeat("[", 600) + strings.Repeat("]", 600), "stdin:1:1: error: nested more than 500 levels deep (yaml-too-large)"},
		"more than 4 MiB":   {"a: " + strings.Repeat("x", valuesschema.MaxFileSize), "stdin: error: the file is larger than 4 MiB and is not read (yaml-too-large)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.TrimSpace(describe(problemsOf(t, c.text))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestByteOrderMarkIsNoPartOfTheValues(t *testing.T) {
	got := describe(problemsOf(t, "\xef\xbb\xbftap: {kernelModule: {mode: kmn}}\n"))
	if !strings.Contains(got, `tap.kernelModule.mode = "kmn"`) {
		t.Errorf("got %s", got)
	}
}

// A reader that never ends stands for a file of any size.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return copy(p, bytes.Repeat([]byte("#"), len(p))), nil
}

func TestNoMoreIsReadThanAFileMayHave(t *testing.T) {
	in := &endless{}
	if got := describe(problems(t, valuesschema.LoadOptions{Files: []string{"-"}, Stdin: in})); !strings.Contains(got, "yaml-too-large") {
		t.Errorf("got %s", got)
	}
	if in.read > 3*valuesschema.MaxFileSize {
		t.Errorf("%d bytes were read", in.read)
	}
}

// The alias bomb must be refused before anything expands it.
func TestAliasBombTakesLittleMemory(t *testing.T) {
	text := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "*" + string(c-1) + "]\n"
	}
	defaults := chartDefaults(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}, Stdin: strings.NewReader(text), Defaults: defaults})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(doc.Validate()); !strings.Contains(got, "yaml-too-large") {
		t.Errorf("got %s", got)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for name, o := range map[string]valuesschema.LoadOptions{
		"file":       {Files: []string{missing}},
		"--set-file": {SetFile: []string{"tap.kernelModule.source.version=" + missing}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := valuesschema.Load(o)
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "missing.yaml") {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{"-"}}); err == nil {
		t.Error("no standard input is not an error")
	}
	if _, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{t.TempDir()}}); err == nil {
		t.Error("a folder is not an error")
	}
}

func TestSetFileTooLargeIsAProblem(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte("a"), valuesschema.MaxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	got := describe(problems(t, valuesschema.LoadOptions{SetFile: []string{"tap.kernelModule.source.version=" + big}}))
	if !strings.Contains(got, "is larger than 4 MiB (set-syntax)") {
		t.Errorf("got %s", got)
	}
}

// One value may be wrong in a file that is otherwise not even a map: only the
// worse is reported, since the rest is not known.
func TestUnparsableFileIsTheOnlyProblem(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	for name, text := range map[string]string{good: "tap: {kernelModule: {mode: kmn}}\n", bad: "[\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := problems(t, valuesschema.LoadOptions{Files: []string{good, bad}})
	if len(found) != 1 || found[0].Rule != "yaml-syntax" || found[0].File != bad {
		t.Errorf("got %s", describe(found))
	}
}

func TestLoadLeavesTheOptionsAlone(t *testing.T) {
	defaults := chartDefaults(t)
	kept := bytes.Clone(defaults)
	o := valuesschema.LoadOptions{Set: []string{"tap.kernelModule.mode=kmm"}, Defaults: defaults}
	doc, err := valuesschema.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	first, second := describe(doc.Validate()), describe(doc.Validate())
	if first != second {
		t.Errorf("validated twice:\n%s\nand\n%s", first, second)
	}
	if !bytes.Equal(defaults, kept) || len(o.Set) != 1 {
		t.Error("the options were changed")
	}
}

// Values that one document gets are its own, also when the defaults were parsed
// for another.
func TestDefaultsAreSharedAndNotChanged(t *testing.T) {
	text := "tap: {kernelModule: {mode: kmm, agent: {logLevel: debug}, kernelMappings: [{literal: a, containerImage: docker.io/a/b:1}]}}"
	load := func(text string, of *valuesschema.Document) *valuesschema.Document {
		doc, err := valuesschema.Load(valuesschema.LoadOptions{
			Files: []string{"-"}, Stdin: strings.NewReader(text), Defaults: chartDefaults(t), DefaultsOf: of,
		})
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	fresh := load("{}", nil).Merged()
	changed := load(text, nil)
	changed.Merged()["tap"].(map[string]any)["docker"].(map[string]any)["registry"] = "changed"
	second := load("{}", changed)
	if !reflect.DeepEqual(second.Merged(), fresh) {
		t.Errorf("the defaults of a later document are\n%v\nwant\n%v", second.Merged(), fresh)
	}
	if got, want := describe(load(text, second).Validate()), describe(load(text, nil).Validate()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Thousands of mappings, each with a regexp of a hundred thousand parts, would
// take gigabytes if all were compiled, and minutes if each literal met all.
func TestHugeRegexpsAndManyMappingsStayCheap(t *testing.T) {
	var b strings.Builder
	b.WriteString("tap:\n  kernelModule:\n    mode: kmm\n    kernelMappings:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "      - {regexp: '^%s%d$', containerImage: 'r.io/a:1'}\n", strings.Repeat("(x{1,999}y)", 90), i)
	}
	for i := range 2000 {
		fmt.Fprintf(&b, "      - {regexp: '^5\\.%d\\..*(a|b)+x{1,9}$', containerImage: 'r.io/a:1'}\n", i)
	}
	for i := range 2000 {
		fmt.Fprintf(&b, "      - {literal: '5.%d.1-x86_64', containerImage: 'r.io/a:1'}\n", i)
	}
	b.WriteString("      - {literal: '5.7.1-x86_64', containerImage: 'r.io/a:1'}\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := describe(problemsOf(t, b.String()))
	runtime.ReadMemStats(&after)
	if want := "kernelMappings[4007] matches first"; !strings.Contains(got, want) {
		t.Errorf("no %q in %.500s", want, got)
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 600 {
		t.Errorf("%d MiB were allocated", used)
	}
}
