// Package docs_test holds the documentation to the code: references that are
// generated, and links that must lead somewhere.
package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

const root = "../.."

func TestGeneratedReferencesAreUpToDate(t *testing.T) {
	values, err := valuesschema.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"values.md": values, "reasons.md": reasons()} {
		goldentest.File(t, filepath.Join(root, "docs", name), want)
	}
}

func reasons() []byte {
	var b strings.Builder
	b.WriteString("# Reasons\n\nWhy a node has the backend it has. The code is in the outcome (`reason`), in `pfring status`, in the pod's\n" +
		"termination message and in the metric `pfring_backend`. Codes are added, never renamed.\n")
	titles := map[outcome.Group]string{
		outcome.GroupGood: "PF_RING is in use", outcome.GroupRepository: "The module repository", outcome.GroupFile: "The module file",
		outcome.GroupKernel: "The kernel", outcome.GroupLater: "Before and after loading",
	}
	group := outcome.Group("")
	for _, r := range outcome.Reasons() {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&b, "\n## %s\n", titles[group])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", r.Reason, r.Cause)
		if r.Remedy != "" {
			fmt.Fprintf(&b, "\n**What to do:** %s\n", r.Remedy)
		}
	}
	return []byte(b.String())
}

// web is where the files of this repository are on the web.
const web = "https://github.com/kubeshark/kubeshark-pfring/blob/main/"

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// Links to the world outside are not followed: tests have no network.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*/*.md", "charts/*/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(data), ""), -1) {
			target, ours := strings.CutPrefix(m[1], web)
			if !ours && strings.Contains(m[1], "://") {
				continue
			}
			if ours {
				checkLink(t, filepath.Join(root, "README.md"), target)
				continue
			}
			checkLink(t, name, m[1])
		}
	}
}

// The index leads to every page.
func TestEveryPageIsInTheIndex(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !bytes.Contains(index, []byte("]("+name+")")) {
			t.Errorf("docs/README.md does not link to %s", name)
		}
	}
}

// Pages of many sections lead to each of them.
func TestContentsAreComplete(t *testing.T) {
	for _, name := range []string{"checks.md", "validation.md"} {
		data, err := os.ReadFile(filepath.Join(root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(data), -1) {
			seen++
			anchor := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
			if !bytes.Contains(data, []byte("["+m[1]+"](#"+anchor+")")) {
				t.Errorf("docs/%s: %s is not in its contents", name, m[1])
			}
		}
		if seen < 40 {
			t.Errorf("docs/%s has only %d sections", name, seen)
		}
	}
}

// path finds files of this repository that a page names between backquotes.
var path = regexp.MustCompile("`((?:\\./)?(?:charts|cmd|deploy|docs|examples|hack|internal|module|node|outcome|renderer|tests|values-schema)/[A-Za-z0-9_./*-]+)`")

func TestFilesThatPagesNameExist(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "SECURITY.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range path.FindAllStringSubmatch(string(text), -1) {
			seen++
			if found, _ := filepath.Glob(filepath.Join(root, m[1])); len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", filepath.Base(page), m[1])
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d files are named", seen)
	}
}

func checkLink(t *testing.T, from, target string) {
	t.Helper()
	path, anchor, _ := strings.Cut(target, "#")
	file := from
	if path != "" {
		file = filepath.Join(filepath.Dir(from), path)
	}
	data, err := os.ReadFile(file)
	if info, e := os.Stat(file); e == nil && info.IsDir() {
		return
	}
	if err != nil {
		t.Errorf("%s links to %s, which is not there", from, target)
		return
	}
	if anchor != "" && !anchors(string(data))[anchor] {
		t.Errorf("%s links to %s, and there is no such heading", from, target)
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are the headings as GitHub names them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		heading := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		out[strings.ReplaceAll(notInAnchor.ReplaceAllString(heading, ""), " ", "-")] = true
	}
	return out
}
