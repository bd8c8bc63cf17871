package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxMember bounds what is read of one member; the program is the largest.
const maxMember = 256 << 20

// Read reads the files of an archive that Write has made.
func Read(name string, data []byte) ([]File, error) {
	if strings.HasSuffix(name, ".zip") {
		return readZip(data)
	}
	compressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	var files []File
	for in := tar.NewReader(compressed); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(in, maxMember))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s of %s: %w", h.Name, name, err)
		}
		files = append(files, File{h.Name, h.Mode&0o100 != 0, text})
	}
}

func readZip(data []byte) ([]File, error) {
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, member := range in.File {
		r, err := member.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(r, maxMember))
		if err != nil {
			return nil, err
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
		files = append(files, File{member.Name, member.Mode()&0o100 != 0, text})
	}
	return files, nil
}
