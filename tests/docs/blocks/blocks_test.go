package blocks

import (
	"strings"
	"testing"
)

func TestBlocksAndTheirMarks(t *testing.T) {
	text := "# a\n\n<!-- run: cluster, exit 1 -->\n```sh\npfring status\n```\n\n1. b\n   <!-- run -->\n   ```sh\n   pfring version\n   ```\n\nprose\n```yaml\na: 1\n```\n"
	got, err := parse("x.md", text)
	if err != nil || len(got) != 3 {
		t.Fatal(err, got)
	}
	if got[0].Place() != "x.md:4" || got[0].Text != "pfring status\n" || !got[0].IsCommands() {
		t.Errorf("%+v", got[0])
	}
	if run, _, err := got[0].Plan(); err != nil || run == nil || !run.Cluster || run.Exit != 1 {
		t.Error(run, err)
	}
	if run, _, err := got[1].Plan(); err != nil || run == nil || run.Cluster || run.Exit != 0 || got[1].Text != "pfring version\n" {
		t.Error(run, err, got[1])
	}
	if got[2].IsCommands() || got[2].Mark != "" {
		t.Errorf("%+v", got[2])
	}
}

func TestWhatIsNoMarkIsToldSo(t *testing.T) {
	for mark, says := range map[string]string{
		"": "has no mark", "run: moon": "not known here", "run: exit x": "is not an exit code", "not run: no": "say why",
		"tested by: here": "a folder and a test", "walk": "has no mark",
	} {
		if _, _, err := (Block{File: "x.md", Line: 1, Mark: mark}).Plan(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", mark, err)
		}
	}
	for _, text := range []string{"a\n\n    make demo\n", "```sh\nmake\n"} {
		if _, err := parse("x.md", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
