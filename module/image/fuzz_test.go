package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

// A package of busybox comes from a file that a person names.
func FuzzBusybox(f *testing.F) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: "./bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: 4}); err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write([]byte("\x7fELF")); err != nil || w.Close() != nil {
		f.Fatal(err)
	}
	for _, format := range []string{"raw", "gz", "xz", "zst"} {
		data, extension := moduletest.Compress(f, files.Bytes(), format)
		f.Add(fmt.Appendf(nil, "%s%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", arMagic, "data.tar"+extension, 0, 0, 0, 0o644, len(data), data))
	}
	f.Add([]byte(arMagic + "data.tar        0           0     0     100644  -1        `\n"))
	f.Fuzz(func(_ *testing.T, deb []byte) {
		_, _ = fromDeb(deb)
		_, _ = fromTar(deb)
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"", "oci:", "oci:dir:tag", "docker-archive:a.tar:name:tag", "oci://registry.example/a:b", "registry.example/a@sha256:" + "00", "localhost:5000/a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text, &Remote{})
		if (target == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", text, target, err)
		}
		if err == nil {
			target.Tag()
		}
	})
}
