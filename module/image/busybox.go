package image

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
)

// maxProgram bounds a busybox or its package, in bytes.
const maxProgram = 64 << 20

// BusyboxBase is a base made from static busybox programs, one for each
// architecture; a way for those who cannot reach a registry with a base.
type BusyboxBase struct {
	programs map[string][]byte // by GOARCH name
	names    []string
}

// ReadBusybox reads static busybox programs, plain or in Debian's package
// busybox-static (.deb). Which architecture each is for, it says itself.
func ReadBusybox(paths []string) (*BusyboxBase, error) {
	b := &BusyboxBase{programs: map[string][]byte{}}
	for _, p := range paths {
		data, err := readfile.Regular(p, maxProgram)
		if err != nil {
			return nil, fmt.Errorf("cannot read busybox: %w", err)
		}
		if bytes.HasPrefix(data, []byte(arMagic)) {
			if data, err = fromDeb(data); err != nil {
				return nil, fmt.Errorf("cannot read busybox from %s: %w", p, err)
			}
		}
		arch, err := staticProgram(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		b.programs[arch] = data
		b.names = append(b.names, filepath.Base(p))
	}
	return b, nil
}

// String names the files.
func (b *BusyboxBase) String() string { return strings.Join(b.names, " ") }

// Image is a layer with busybox under the names that KMM needs.
func (b *BusyboxBase) Image(_ context.Context, arch string) (v1.Image, error) {
	program, ok := b.programs[arch]
	if !ok {
		return nil, fmt.Errorf("no busybox for %s. Add one with --busybox", arch)
	}
	files := []layer.File{{Name: "bin/busybox", Mode: 0o755, Data: program}}
	for _, name := range []string{"sh", "mkdir", "cp", "ls", "cat"} {
		files = append(files, layer.File{Name: "bin/" + name, Mode: 0o777, Link: "busybox"})
	}
	epoch := time.Unix(0, 0).UTC()
	shell, err := layer.New(files, epoch, types.OCILayer)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: shell, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "pfring module pack --busybox"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Config(image, v1.Config{Env: []string{"PATH=/bin"}, Cmd: []string{"/bin/sh"}})
}

// staticProgram is the architecture of a program that needs no library.
func staticProgram(data []byte) (arch string, err error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("not a program for Linux: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", errors.New("the program is not static: it requires libraries that the image does not have. Use Debian's busybox-static")
		}
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	}
	return "", fmt.Errorf("it is for %s; images are made for amd64 and arm64", f.Machine)
}

// A Debian package is an ar archive (deb(5)) whose member data.tar.* has the
// files.
const arMagic = "!<arch>\n"

func fromDeb(deb []byte) ([]byte, error) {
	const header = 60
	for at := len(arMagic); at+header <= len(deb); {
		h := deb[at : at+header]
		size, err := strconv.Atoi(strings.TrimSpace(string(h[48:58])))
		if err != nil || size < 0 || size > len(deb)-at-header {
			return nil, errors.New("the package is truncated or damaged")
		}
		at += header
		if strings.HasPrefix(string(h[:16]), "data.tar") {
			plain, _, err := module.Decompress(deb[at:at+size], 64<<20)
			if err != nil {
				return nil, err
			}
			return fromTar(plain)
		}
		at += size + size%2
	}
	return nil, errors.New("it is not a Debian package with data")
}

func fromTar(plain []byte) ([]byte, error) {
	files := tar.NewReader(bytes.NewReader(plain))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the package has no /bin/busybox")
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg && path.Base(h.Name) == "busybox" && strings.HasSuffix(path.Dir(h.Name), "bin") {
			return io.ReadAll(files)
		}
	}
}
