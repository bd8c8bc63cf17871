// Package docs_test holds the documentation to the code: references that are
// generated, and links that must lead somewhere.
package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

var update = flag.Bool("update", false, "rewrite the generated documents")

const root = "../.."

func TestGeneratedReferencesAreUpToDate(t *testing.T) {
	values, err := valuesschema.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"values.md": values, "reasons.md": reasons()} {
		path := filepath.Join(root, "docs", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what the code says; go test ./tests/docs -update", name)
		}
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

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// Links to the world outside are not followed: tests have no network.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"))
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(data), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			checkLink(t, name, m[1])
		}
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
