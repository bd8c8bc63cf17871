// Package archive packs a folder into a .tar.gz, .tgz or .zip. The same files
// and time give the same bytes on any machine, whatever tar or gzip it has.
package archive

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// File is a member of an archive.
type File struct {
	// Name is relative, with slashes and without "./", which Helm does not take.
	Name string
	// Executable makes its mode 0755 instead of 0644.
	Executable bool
	// Data is not nil, even of an empty file.
	Data []byte
}

// Folder reads the files below dir, sorted by name.
func Folder(dir string) ([]File, error) {
	var files []File
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files = append(files, File{name, info.Mode()&0o100 != 0, data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what to pack: %w", err)
	}
	return files, nil
}

// Write packs files in the form that the name of the archive says.
func Write(w io.Writer, name string, files []File, at time.Time) error {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	write := writeTar
	switch {
	case strings.HasSuffix(name, ".zip"):
		write = writeZip
	case !strings.HasSuffix(name, ".tar.gz") && !strings.HasSuffix(name, ".tgz"):
		return fmt.Errorf("%s: an archive is a .tar.gz, .tgz or .zip", name)
	}
	if err := write(w, files, at.UTC()); err != nil {
		return fmt.Errorf("cannot pack %s: %w", name, err)
	}
	return nil
}

func writeTar(w io.Writer, files []File, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression) // without a name and a time
	if err != nil {
		return err
	}
	out := tar.NewWriter(compressed)
	for _, f := range withFolders(files) {
		if f.Data == nil {
			if err := out.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o755, ModTime: at, Typeflag: tar.TypeDir, Format: tar.FormatUSTAR}); err != nil {
				return err
			}
			continue
		}
		h := &tar.Header{Name: f.Name, Mode: mode(f), Size: int64(len(f.Data)), ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(f.Data); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

// withFolders adds each folder before its files, without data and with a slash
// at the end: Helm, unpacking a plugin, makes no folder that is not a member.
func withFolders(files []File) []File {
	var out []File
	made := map[string]bool{}
	for _, f := range files {
		for i, c := range f.Name {
			if folder := f.Name[:i+1]; c == '/' && !made[folder] {
				made[folder] = true
				out = append(out, File{Name: folder})
			}
		}
		out = append(out, f)
	}
	return out
}

func writeZip(w io.Writer, files []File, at time.Time) error {
	out := zip.NewWriter(w)
	out.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: at}
		h.SetMode(fs.FileMode(mode(f))) // #nosec G115 -- 0644 or 0755
		member, err := out.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := member.Write(f.Data); err != nil {
			return err
		}
	}
	return out.Close()
}

func mode(f File) int64 {
	if f.Executable {
		return 0o755
	}
	return 0o644
}
