package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubeshark/kubeshark-pfring/module"
)

func TestAFileThatDiffersFromTheIndexDoesNotFit(t *testing.T) {
	data := []byte("kernel module")
	sum := sha256.Sum256(data)
	e := module.Entry{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	if err := Fits(e, data); err != nil {
		t.Errorf("the file itself: %v", err)
	}
	for name, other := range map[string]string{"another byte": "kernel modulE", "longer": "kernel module.", "empty": ""} {
		if err := Fits(e, []byte(other)); err == nil {
			t.Errorf("%s: it fits", name)
		}
	}
	// The size is compared first: it says more than a checksum that differs.
	if err := Fits(e, nil); err == nil || !strings.Contains(err.Error(), "0 bytes") {
		t.Errorf("err = %v, want one with the size", err)
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, path := range []string{"pf_ring.ko", "a/b/pf_ring.ko.zst", ".ssh/a.ko", "../a.ko", "a/./b.ko", "a\x1b.ko", "a\u202e.ko", "/a.ko", "a//b.ko", `a\b.ko`} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) != nil {
			return
		}
		if strings.Contains("/"+path, "/.") || !module.IsFileName(path) || !utf8.ValidString(path) || strings.ContainsAny(path, "\x00\x1b\n\r") {
			t.Errorf("%q is written", path)
		}
	})
}

func TestAPathHasOneContent(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	twice := func(second string) error {
		return checkPaths([]module.Entry{{Path: "m/pf_ring.ko", SHA256: a}, {Path: "m/pf_ring.ko", SHA256: second}})
	}
	if err := twice(a); err != nil {
		t.Errorf("the same file twice: %v", err)
	}
	if err := twice(b); err == nil {
		t.Error("two files under one path were accepted")
	}
}
