package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
)

// modules are files in a folder: a good one, compressed; a page; and one that is
// larger than any module.
func modules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	packed, _ := moduletest.Compress(t, moduletest.KO{Fields: []string{"parm=slots:Ring \x1b[31mslots", "parmtype=slots:uint"}, Symbols: []string{"sk_alloc"}}.Bytes(), module.FormatXz)
	moduletest.WriteFiles(t, dir, map[string][]byte{"pf_ring.ko.xz": packed, "page.ko": []byte("<html>404</html>")})
	large, err := os.Create(filepath.Join(dir, "large.ko"))
	if err == nil {
		err = large.Truncate(1 << 40)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInspectSaysWhatAFileIsAndWhetherItFits(t *testing.T) {
	dir := modules(t)
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	good := filepath.Join(dir, "pf_ring.ko.xz")
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
		says string
	}{
		"a file":              {[]string{good}, 0, moduletest.Kernel, ""},
		"over the network":    {[]string{web.URL + "/pf_ring.ko.xz"}, 0, moduletest.Kernel, ""},
		"it fits":             {[]string{good, "--kernel", moduletest.Kernel, "--arch", "amd64"}, 0, "Fits            yes", ""},
		"another kernel":      {[]string{good, "--kernel", "6.9.9"}, 1, "Fits            no: it was built for kernel", ""},
		"another machine":     {[]string{good, "--arch", "arm64"}, 1, "the node is arm64", ""},
		"symbols":             {[]string{good, "--symbols"}, 0, "sk_alloc", ""},
		"no module":           {[]string{filepath.Join(dir, "page.ko")}, 1, "", "not"},
		"larger than any":     {[]string{filepath.Join(dir, "large.ko")}, 1, "", "64 MiB"},
		"not there":           {[]string{filepath.Join(dir, "nowhere.ko")}, 2, "", "no such file"},
		"not on the server":   {[]string{web.URL + "/nowhere.ko"}, 2, "", "nowhere.ko"},
		"one good, two bad":   {[]string{filepath.Join(dir, "page.ko"), good, filepath.Join(dir, "large.ko")}, 1, moduletest.Kernel, "64 MiB"},
		"bad and not there":   {[]string{filepath.Join(dir, "page.ko"), filepath.Join(dir, "nowhere.ko")}, 2, "", "page.ko"},
		"an output of no use": {[]string{good, "-o", "xml"}, 2, "", "must be one of table, json"},
	} {
		out, errOut, code := execute(t, "", append([]string{"module", "inspect"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errOut, c.says) || strings.Contains(out, "\x1b") {
			t.Errorf("%s: code %d, want %d\n%s%s", name, code, c.code, out, errOut)
		}
	}
}

func TestInspectNamesUnusualFiles(t *testing.T) {
	for _, f := range moduletest.UnusualFiles(t) {
		path := filepath.Join(t.TempDir(), "pf_ring.ko.gz") // whatever is in it
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, errOut, code := execute(t, "", "module", "inspect", path)
		if (code == 0) != (f.Reason == "") || !strings.Contains(errOut, f.Says) {
			t.Errorf("%s: code %d, want %q\n%s", f.Name, code, f.Says, errOut)
		}
	}
}

func TestInspectPrintsOneDocumentOfJSON(t *testing.T) {
	dir := modules(t)
	good := filepath.Join(dir, "pf_ring.ko.xz")
	out, _, _ := execute(t, "", "module", "inspect", good, "-o", "json", "--kernel", "6.9.9")
	var one struct {
		KernelRelease string `json:"kernelRelease"`
		Fits          *bool  `json:"fits"`
		Why           string `json:"why"`
		Compression   string `json:"compression"`
	}
	if err := json.Unmarshal([]byte(out), &one); err != nil || one.KernelRelease != moduletest.Kernel || one.Fits == nil || *one.Fits || one.Why == "" || one.Compression != "xz" {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{{good, good}, {good, filepath.Join(dir, "page.ko")}, {filepath.Join(dir, "page.ko"), filepath.Join(dir, "page.ko")}} {
		out, _, _ := execute(t, "", append([]string{"module", "inspect", "-o", "json"}, args...)...)
		var list []map[string]any
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) > 2 {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
