package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra/doc"
)

// docs/cli.md is what the commands say.
func TestTheReferenceIsUpToDate(t *testing.T) {
	want, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is not what the commands say; run: go run ./hack/reference")
	}
}

func TestEachCommandHasAManualPage(t *testing.T) {
	dir := t.TempDir()
	if err := doc.GenManTree(tree(), &doc.GenManHeader{Title: "PFRING", Section: "1"}, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pfring.1", "pfring-validate.1", "pfring-prereq-check.1", "pfring-module-build.1", "pfring-explain.1"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(data) < 500 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}
