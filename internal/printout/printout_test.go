package printout_test

import (
	"strings"
	"testing"

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
