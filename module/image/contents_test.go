package image_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
)

// layered makes an image of layers, the lowest first.
func layered(t *testing.T, layers ...[]layer.File) v1.Image {
	t.Helper()
	image := empty.Image
	for _, files := range layers {
		l, err := layer.New(files, time.Unix(0, 0), types.OCILayer)
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, l); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

func TestReaderSeesAnImageAsAContainerWould(t *testing.T) {
	const release = moduletest.Kernel
	folder := "opt/lib/modules/" + release + "/"
	ko := moduletest.KO{Kernel: release}.Bytes()
	file := func(name string) layer.File { return layer.File{Name: name, Mode: 0o755, Data: []byte("x")} }
	modules := []layer.File{{Name: folder + "extra/pf_ring.ko", Data: ko}, file(folder + "modules.dep.bin")}
	merged := []layer.File{{Name: "bin", Link: "usr/bin"}, file("usr/bin/sh"), file("usr/bin/cp"), file("usr/bin/mkdir")}
	plain := []layer.File{file("bin/sh"), file("bin/cp"), file("bin/mkdir")}
	for name, test := range map[string]struct {
		layers  [][]layer.File
		missing []string
		path    string
		indexed bool
	}{
		"all in order":                           {[][]layer.File{plain, modules}, nil, "/" + folder + "extra/pf_ring.ko", true},
		"bin is a link":                          {[][]layer.File{merged, modules}, nil, "/" + folder + "extra/pf_ring.ko", true},
		"bin is not a link, and sh is elsewhere": {[][]layer.File{merged[1:], modules}, []string{"sh"}, "/" + folder + "extra/pf_ring.ko", true},
		"no shell":                               {[][]layer.File{modules}, []string{"cp", "mkdir", "sh"}, "/" + folder + "extra/pf_ring.ko", true},
		"a file taken away":                      {[][]layer.File{plain, modules, {file(folder + ".wh.modules.dep.bin")}}, nil, "/" + folder + "extra/pf_ring.ko", false},
		"a folder taken away":                    {[][]layer.File{plain, modules, {file(folder + ".wh.extra")}}, nil, "", true},
		"a folder made again":                    {[][]layer.File{plain, modules, {file(folder + ".wh..wh..opq"), file(folder + "modules.dep.bin")}}, nil, "", true},
		"taken away and put back":                {[][]layer.File{plain, modules, {file(folder + ".wh.extra")}, modules}, nil, "/" + folder + "extra/pf_ring.ko", true},
		"a name that begins like the whiteout":   {[][]layer.File{plain, modules, {file(folder + ".wh.ext")}}, nil, "/" + folder + "extra/pf_ring.ko", true},
		"another module":                         {[][]layer.File{plain, {{Name: folder + "veth.ko", Data: ko}, file(folder + "modules.dep.bin")}}, nil, "", true},
	} {
		got, err := image.NewReader(image.DirName, "pf_ring").Read(t.Context(), layered(t, test.layers...), release)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := got.Folders[release]
		if f == nil || f.Path != test.path || f.Indexed != test.indexed || !slices.Equal(got.Missing, test.missing) {
			t.Errorf("%s: missing %v, %+v", name, got.Missing, f)
			continue
		}
		if test.path != "" && (f.Err != nil || f.Info.Check(release, "amd64", "pf_ring") != nil) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestReaderReadsLayersOfEachCompression(t *testing.T) {
	const release = moduletest.Kernel
	l, err := layer.New([]layer.File{{Name: "opt/lib/modules/" + release + "/pf_ring.ko", Data: moduletest.KO{Kernel: release}.Bytes()}}, time.Unix(0, 0), types.OCILayer)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	tarball, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]v1.Layer{
		"gzip": l,
		"zstd": static.NewLayer(encoder.EncodeAll(tarball, nil), types.OCILayerZStd),
		"none": static.NewLayer(tarball, types.OCIUncompressedLayer),
	} {
		with, err := mutate.AppendLayers(empty.Image, l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := image.NewReader(image.DirName, "pf_ring").Read(t.Context(), with, release)
		if err != nil || got.Folders[release] == nil || got.Folders[release].Path == "" || got.Folders[release].Err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, data := range map[string][]byte{"gzip, cut short": []byte("\x1f\x8b\x08"), "empty": nil} {
		broken, err := mutate.AppendLayers(empty.Image, static.NewLayer(data, types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		_, err = image.NewReader(image.DirName, "pf_ring").Read(t.Context(), broken, release)
		if (err == nil) != (data == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReaderTellsAModuleThatIsNone(t *testing.T) {
	const release = moduletest.Kernel
	files := []layer.File{{Name: "opt/lib/modules/" + release + "/pf_ring.ko.xz", Data: []byte("neither compressed nor a module")}}
	got, err := image.NewReader(image.DirName, "pf_ring").Read(t.Context(), layered(t, files), release)
	if err != nil || got.Folders[release] == nil || got.Folders[release].Err == nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReaderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := image.NewReader(image.DirName, "pf_ring").Read(ctx, layered(t, nil, nil), "x"); err == nil {
		t.Error("it went on")
	}
}
