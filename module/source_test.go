package module_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestAFolderStaysBelowItsRoot(t *testing.T) {
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"outside": []byte("x"), "root/..data/inside": []byte("x"), "root/folder/x": nil})
	for link, to := range map[string]string{"root/out": "../outside", "root/in": "..data/inside"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir + "/root"})
	if err != nil {
		t.Fatal(err)
	}
	for path, good := range map[string]bool{"in": true, "out": false, "../outside": false, "folder": false, "none": false} {
		data, err := source.Fetch(context.Background(), path, 10)
		if (err == nil) != good || (err != nil && (reason(err) == "" || data != nil)) {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if _, err := source.Fetch(context.Background(), "in", 0); reason(err) != outcome.TooLarge {
		t.Errorf("over the limit: %v", err)
	}
}

func TestOpenSourceRefusesOtherURLs(t *testing.T) {
	for _, url := range []string{"", "x", "/folder", "ftp://host/x", "file:", "file:relative", "file://host/x", "https://", "https:///x", "http://[::1", "s3://", "oci://registry.example", "oci://registry.example/"} {
		source, err := module.OpenSource(module.SourceOptions{URL: url})
		if reason(err) != outcome.SourceInvalid || !strings.Contains(err.Error(), "source.url") {
			t.Errorf("%q: %v, %v", url, source, err)
		}
	}
}
