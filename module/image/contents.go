package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// maxLayer bounds a layer that is read, in bytes, compressed; maxPlain the same
// layer's files together.
const (
	maxLayer = 1 << 30
	maxPlain = 8 << 30
)

// Contents is what KMM looks for in a module image.
type Contents struct {
	// Programs that KMM's worker runs and that are not there, of sh, mkdir, cp.
	Missing []string
	// Folders are those below lib/modules, by kernel release.
	Folders map[string]*Folder
}

// Folder is a kernel's folder in a module image.
type Folder struct {
	// Indexed says that depmod's modules.dep.bin is there, by which modprobe goes.
	Indexed bool
	// Path of the module file in the image; "" when there is none.
	Path string
	// Info is what that file says of itself; Err why it cannot be read as a module.
	Info module.Info
	Err  error
}

// Reader reads the contents of images for one module. Each layer is fetched
// once, however many images have it. It may be used by several at a time.
type Reader struct {
	dir, name string

	mu     sync.Mutex
	layers map[v1.Hash]*layerFiles
}

// NewReader looks for the module called name below dirName, KMM's
// modprobe.dirName.
func NewReader(dirName, name string) *Reader {
	return &Reader{dir: strings.Trim(path.Join(dirName, "lib/modules"), "/") + "/", name: name, layers: map[v1.Hash]*layerFiles{}}
}

// layerFiles are the files of a layer that matter, by path without a slash in
// front.
type layerFiles struct {
	once  sync.Once
	files map[string]found
	// hidden are paths, and with a slash at the end whole folders, of lower layers.
	hidden []string
	err    error
}

type found struct {
	link bool
	info module.Info
	err  error
}

// Read reads an image of which nothing has been fetched but its manifest: from
// the top layer down, and no more layers than it takes to find what release
// needs.
func (r *Reader) Read(ctx context.Context, image v1.Image, release string) (*Contents, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("cannot read its layers: %w", err)
	}
	seen, hidden := map[string]found{}, []string(nil)
	for _, l := range slices.Backward(layers) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		files := r.layer(l)
		if files.err != nil {
			return nil, fmt.Errorf("cannot read a layer: %w", files.err)
		}
		for name, f := range files.files {
			if _, above := seen[name]; !above && !isHidden(name, hidden) {
				seen[name] = f
			}
		}
		hidden = append(hidden, files.hidden...)
		if c := r.contents(seen); len(c.Missing) == 0 && c.Folders[release] != nil && c.Folders[release].Path != "" && c.Folders[release].Indexed {
			return c, nil
		}
	}
	return r.contents(seen), nil
}

func isHidden(name string, hidden []string) bool {
	return slices.ContainsFunc(hidden, func(h string) bool {
		return name == h || strings.HasPrefix(name, strings.TrimSuffix(h, "/")+"/")
	})
}

// contents sums up what was seen.
func (r *Reader) contents(seen map[string]found) *Contents {
	c := &Contents{Folders: map[string]*Folder{}}
	anywhere := func(program string) bool {
		return slices.ContainsFunc(programFolders, func(dir string) bool { _, there := seen[dir+program]; return there })
	}
	_, shell := seen["bin/sh"]
	if _, merged := seen["usr/bin/sh"]; merged && seen["bin"].link {
		shell = true
	}
	for program, there := range map[string]bool{"sh": shell, "mkdir": anywhere("mkdir"), "cp": anywhere("cp")} {
		if !there {
			c.Missing = append(c.Missing, program)
		}
	}
	slices.Sort(c.Missing)
	for name, f := range seen {
		rest, below := strings.CutPrefix(name, r.dir)
		release, file, _ := strings.Cut(rest, "/")
		if !below || release == "" {
			continue
		}
		folder := c.Folders[release]
		if folder == nil {
			folder = &Folder{}
			c.Folders[release] = folder
		}
		switch {
		case file == "modules.dep.bin":
			folder.Indexed = true
		case r.isModule(file):
			folder.Path, folder.Info, folder.Err = "/"+name, f.info, f.err
		}
	}
	return c
}

// programFolders are those of a usual PATH.
var programFolders = []string{"bin/", "usr/bin/", "sbin/", "usr/sbin/", "usr/local/bin/"}

func (r *Reader) isModule(file string) bool {
	return module.IsFileName(file) && module.BareName(file) == r.name
}

// layer reads a layer, once.
func (r *Reader) layer(l v1.Layer) *layerFiles {
	digest, err := l.Digest()
	if err != nil {
		return &layerFiles{err: err}
	}
	r.mu.Lock()
	files := r.layers[digest]
	if files == nil {
		files = &layerFiles{files: map[string]found{}}
		r.layers[digest] = files
	}
	r.mu.Unlock()
	files.once.Do(func() { files.err = r.scan(l, files) })
	return files
}

func (r *Reader) scan(l v1.Layer, into *layerFiles) error {
	if size, err := l.Size(); err != nil || size > maxLayer {
		return errors.Join(err, fmt.Errorf("it has %d MiB: the limit is %d", size>>20, maxLayer>>20))
	}
	return eachFile(l, func(h *tar.Header, body io.Reader) (bool, error) { return true, r.take(h, body, into) })
}

// take keeps a file of a layer if it matters.
func (r *Reader) take(h *tar.Header, body io.Reader, into *layerFiles) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	dir, base := path.Split(name)
	switch {
	case base == ".wh..wh..opq":
		into.hidden = append(into.hidden, dir)
	case strings.HasPrefix(base, ".wh."):
		into.hidden = append(into.hidden, dir+strings.TrimPrefix(base, ".wh."))
	case name == "bin":
		into.files[name] = found{link: h.Typeflag == tar.TypeSymlink}
	case slices.Contains(programFolders, dir) && (base == "sh" || base == "mkdir" || base == "cp"):
		into.files[name] = found{}
	case strings.HasPrefix(name, r.dir) && r.isModule(base) && h.Typeflag == tar.TypeReg:
		data, err := io.ReadAll(io.LimitReader(body, module.DefaultMaxSize+1))
		if err != nil {
			return err
		}
		f := found{}
		if plain, _, err := module.Decompress(data, module.DefaultMaxSize); err != nil {
			f.err = err
		} else {
			f.info, f.err = module.Inspect(plain)
		}
		into.files[name] = f
	case strings.HasPrefix(name, r.dir):
		into.files[name] = found{}
	}
	return nil
}
