package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var at = time.Unix(1700000000, 0)

func sample(t *testing.T) []File {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"pfring": 0o755, "completions/pfring.bash": 0o600, "LICENSE": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, name string, files []File) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, name, files, at); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const want = "LICENSE 644 LICENSE\ncompletions/pfring.bash 644 completions/pfring.bash\npfring 755 pfring\n"

func TestTheSameFilesGiveTheSameBytesInAnyOrder(t *testing.T) {
	for _, name := range []string{"a.tar.gz", "a.tgz", "a.zip"} {
		files := sample(t)
		first := write(t, name, files)
		files[0], files[2] = files[2], files[0]
		if !bytes.Equal(first, write(t, name, files)) {
			t.Errorf("%s differs", name)
		}
	}
	if err := Write(io.Discard, "a.rar", nil, at); err == nil || !strings.Contains(err.Error(), "a .tar.gz, .tgz or .zip") {
		t.Error(err)
	}
}

func TestTar(t *testing.T) {
	plain, err := gzip.NewReader(bytes.NewReader(write(t, "a.tar.gz", sample(t))))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			got.WriteString(h.Name + "\n")
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil || h.Uid != 0 || h.Uname != "" || !h.ModTime.Equal(at) {
			t.Errorf("%v %+v", err, h)
		}
		line(&got, h.Name, h.FileInfo().Mode(), data)
	}
	if got.String() != strings.Replace(want, "completions/", "completions/\ncompletions/", 1) {
		t.Errorf("got\n%s", got.String())
	}
}

func TestZip(t *testing.T) {
	packed := write(t, "a.zip", sample(t))
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range r.File {
		member, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(member)
		if err != nil || !f.Modified.Equal(at) {
			t.Errorf("%v %s", err, f.Modified)
		}
		line(&got, f.Name, f.Mode(), data)
	}
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}

func line(b *strings.Builder, name string, mode os.FileMode, data []byte) {
	b.WriteString(name + " " + map[bool]string{true: "755", false: "644"}[mode.Perm() == 0o755] + " " + string(data) + "\n")
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	for _, name := range []string{"a.tar.gz", "a.zip"} {
		files, err := Read(name, write(t, name, sample(t)))
		if err != nil || len(files) != 3 || files[2].Name != "pfring" || !files[2].Executable || string(files[0].Data) != "LICENSE" {
			t.Errorf("%s: %v, %v", name, files, err)
		}
		if _, err := Read(name, []byte("no archive")); err == nil {
			t.Errorf("%s: what is not an archive was read", name)
		}
	}
}
