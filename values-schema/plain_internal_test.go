package valuesschema

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// sameAsHelm fails where the short way reads something else than Helm's library does,
// and tells whether it was taken.
func sameAsHelm(t interface{ Fatalf(string, ...any) }, text string) bool {
	data := []byte(text)
	root, problems := parseNodes("f", data)
	if len(problems) > 0 || root == nil {
		return false
	}
	got, ok := plainValues(data, root)
	if !ok {
		return false
	}
	want := map[string]any{}
	if err := yaml.Unmarshal(data, &want); err != nil {
		t.Fatalf("%q: Helm's library refuses it: %v", text, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\n%#v, Helm's library reads\n%#v", text, got, want)
	}
	return true
}

// scalars are what YAML 1.1 and 1.2, and libraries, read in different ways.
var scalars = []string{
	"", "~", "null", "Null", "yes", "No", "on", "OFF", "y", "n", "true", "False", "0777", "0o7", "0x1F", "0b11", "1_000", "1e3", "1.5e+3", ".5", "5.", ".inf", "-.Inf", ".NaN",
	"1:30", "190:20:30", "2020-01-01", "2020-01-01T00:00:00Z", "12e03", "-1", "+1", "9223372036854775808", "1e400", "<<", "=", "a b", "a: b", "a #b", "a#b", "'it''s'", "\"a b\"", "'yes'",
	"---", "...", "!x", "&a b", "*a", "[a, b]", "{a: b}", "[]", "{}", "|\n  a", ">\n  a\n  b", "a\n  b", "@a", "`a`", "%a", "a\\b", "longer text", "longer\n    text", "falsey words", "é",
}

func TestPlainFilesAreReadAsHelmReadsThem(t *testing.T) {
	short := 0
	for _, s := range scalars {
		for _, format := range []string{"a: %s\n", "abcdefg:\n  - %s\n  - %[1]s\n", "longer-key: {a: %s}\n", "%s: longer text\n", "abcdef: %s # c\nlonger: 1\n", "longer: %s"} {
			if sameAsHelm(t, fmt.Sprintf(format, s)) {
				short++
			}
		}
	}
	files, err := filepath.Glob("../charts/testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if sameAsHelm(t, string(data)) {
			short++
		}
	}
	if short < 50 {
		t.Errorf("only %d files were read the short way", short)
	}
}

func TestGeneratedFilesAreReadAsHelmReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		key := rapid.SampledFrom([]string{"longer-key", "another/key.x", "some words", "yes", "1", "abcdefg"})
		var block func(indent string, depth int)
		block = func(indent string, depth int) {
			isList := rapid.Bool().Draw(t, "list")
			for range rapid.IntRange(1, 3).Draw(t, "n") {
				head := indent + "-"
				if !isList {
					head = indent + key.Draw(t, "key") + ":"
				}
				if depth < 3 && rapid.Bool().Draw(t, "deeper") {
					b.WriteString(head + "\n")
					block(indent+rapid.SampledFrom([]string{"  ", "    ", " "}).Draw(t, "indent"), depth+1)
					continue
				}
				b.WriteString(head + " " + rapid.SampledFrom(scalars).Draw(t, "scalar") + rapid.SampledFrom([]string{"", " ", "  # comment"}).Draw(t, "end") + "\n")
			}
		}
		block("", 0)
		sameAsHelm(t, b.String())
	})
}

func FuzzPlainFilesAreReadAsHelmReadsThem(f *testing.F) {
	for _, s := range scalars {
		f.Add("abcdefg:\n  - " + s + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsHelm(t, text) })
}
