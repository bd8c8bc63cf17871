package markdown_test

import (
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubeshark/kubeshark-pfring/docs"
	"github.com/kubeshark/kubeshark-pfring/internal/markdown"
)

const page = "# A page\n\nSome `code` and a [link](other.md), and one to the\nweb: [KMM](https://kmm.sigs.k8s.io).\n\n" +
	"<!-- not run: needs a cluster -->\n```sh\npfring status\n\n  x\n```\n\n* first\n  goes on\n* second\n1. one\n\n" +
	"| a | b |\n| --- | --- |\n| `x` | y\\|z |\n\n" +
	"| reason | means | do |\n| --- | --- | --- |\n| `a-reason` | something long that is wrong here | do something about it now |\n"

func TestAPageIsShownOnATerminal(t *testing.T) {
	const want = `A page

Some code and a link, and one to the web:
KMM (https://kmm.sigs.k8s.io).

    pfring status

      x

• first goes on
• second
1. one

a  b
x  y|z

a-reason
  means: something long that is wrong here
  do: do something about it now
`
	if got := markdown.Terminal(page, markdown.Options{Width: 42}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := markdown.Terminal("# A\n", markdown.Options{Style: true}); got != "\x1b[1mA\x1b[0m\n" {
		t.Errorf("%q", got)
	}
}

func TestCodeHoldsNoLink(t *testing.T) {
	const page = "Matches `^[a-z](.[a-z])?$`, see [`x`](y.md).\n"
	if got := markdown.Terminal(page, markdown.Options{}); got != "Matches ^[a-z](.[a-z])?$, see x.\n" {
		t.Errorf("%q", got)
	}
}

// Every page of the documentation fits, but for code and single words.
func TestEveryPageFitsItsWidth(t *testing.T) {
	pages, err := fs.Glob(docs.FS(), "*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, name := range pages {
		data, err := fs.ReadFile(docs.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{40, 80, 120} {
			for line := range strings.Lines(markdown.Terminal(string(data), markdown.Options{Width: width})) {
				line = strings.TrimSuffix(line, "\n")
				words := strings.Fields(line)
				code := strings.HasPrefix(line, "    ")
				if utf8.RuneCountInString(line) > width && !code && len(words) > 4 {
					t.Errorf("%s at %d columns: %s", name, width, line)
				}
			}
		}
	}
}

func FuzzTerminal(f *testing.F) {
	f.Add(page, 10)
	f.Add("|\n|", 80)
	f.Add("```", 0)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if out := markdown.Terminal(text, markdown.Options{Width: width}); !strings.HasSuffix(out, "\n") {
			t.Errorf("%q", out)
		}
	})
}
