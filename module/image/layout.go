package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/flock"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// refName is the annotation by which a layout's index has a tag.
const refName = "org.opencontainers.image.ref.name"

type layoutTarget struct{ dir, tag string }

func (t layoutTarget) Tag() string { return t.tag }

// Write makes a layout of the new images beside the one that there is, and then
// moves the blobs over, each at once, and the index last: on a full disk nothing
// is lost and nothing is half there. Of two writers the second waits.
func (t layoutTarget) Write(ctx context.Context, images []Named) (out []string, err error) {
	wrong := func(err error) ([]string, error) {
		return nil, fmt.Errorf("cannot write the OCI layout %s: %w", t.dir, readfile.Cause(err))
	}
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return wrong(err)
	}
	unlock, err := flock.Dir(ctx, t.dir)
	if err != nil {
		return wrong(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.dir) // which it is only while it is empty
		}
		err = errors.Join(err, unlock())
	}()
	old, err := t.current()
	if err != nil {
		return wrong(err)
	}
	parent, begin := filepath.Dir(filepath.Clean(t.dir)), "."+filepath.Base(t.dir)+".new-"
	if err := removeBegun(parent, begin); err != nil {
		return wrong(err)
	}
	staged, err := os.MkdirTemp(parent, begin+"*")
	if err != nil {
		return wrong(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staged)) }()
	added, err := stage(staged, images)
	if err != nil {
		return wrong(err)
	}
	index, err := json.MarshalIndent(merged(old, added), "", "   ")
	if err != nil {
		return wrong(err)
	}
	if err := moveBlobs(staged, t.dir); err != nil {
		return wrong(err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"oci-layout", []byte(`{"imageLayoutVersion": "1.0.0"}`)}, {"index.json", index}} {
		if err := atomicfile.Replace(filepath.Join(t.dir, f.name), f.data, 0o644); err != nil {
			return wrong(err)
		}
	}
	for _, n := range images {
		out = append(out, "oci:"+t.dir+":"+n.Tag)
	}
	return out, nil
}

// removeBegun removes what killed writers have left: a living one would hold the
// layout's lock.
func removeBegun(parent, begin string) error {
	entries, err := os.ReadDir(parent)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), begin) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(parent, e.Name())))
		}
	}
	return err
}

// current is the index of the layout that there is, or an empty one.
func (t layoutTarget) current() (*v1.IndexManifest, error) {
	index, err := layout.ImageIndexFromPath(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return empty.Index.IndexManifest()
	}
	if err != nil {
		return nil, err
	}
	return index.IndexManifest()
}

// stage makes a layout of images and what is attached to them.
func stage(dir string, images []Named) ([]v1.Descriptor, error) {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return nil, err
	}
	for _, n := range images {
		named := layout.WithAnnotations(map[string]string{refName: n.Tag})
		if n.Image.Index != nil {
			err = path.ReplaceIndex(n.Image.Index, match.Name(n.Tag), named)
		} else {
			err = path.ReplaceImage(n.Image.Image, match.Name(n.Tag), named)
		}
		if err != nil {
			return nil, err
		}
		for _, image := range n.Image.Attached {
			digest, err := image.Digest()
			if err != nil {
				return nil, err
			}
			if err := path.ReplaceImage(image, match.Digests(digest)); err != nil {
				return nil, err
			}
		}
	}
	index, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	return manifest.Manifests, nil
}

// merged is the old index with the new descriptors, each in the place of one
// with its tag, or with its digest if it has none.
func merged(old *v1.IndexManifest, added []v1.Descriptor) *v1.IndexManifest {
	out := old.DeepCopy()
	out.Manifests = nil
	for _, d := range old.Manifests {
		replaced := false
		for _, n := range added {
			tag := n.Annotations[refName]
			replaced = replaced || (tag != "" && tag == d.Annotations[refName]) || (tag == "" && d.Digest == n.Digest)
		}
		if !replaced {
			out.Manifests = append(out.Manifests, d)
		}
	}
	out.Manifests = append(out.Manifests, added...)
	return out
}

func moveBlobs(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "blobs", "*", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o644); err != nil { // #nosec G302 -- images are for others to read
			return err
		}
		if err := os.Rename(file, filepath.Join(to, rel)); err != nil {
			return err
		}
	}
	return nil
}
