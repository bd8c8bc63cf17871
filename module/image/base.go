package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// DefaultBase is Docker's official image of busybox: small, static, made for
// amd64 and arm64 and kept up to date. Mirrored it can be named by --base.
const DefaultBase = "docker.io/library/busybox:1.37.0-musl"

// scratch is what a base without content is called.
const scratch = "scratch"

// baseImage is the base for arch and what it is, with its digest. Whether it
// has a shell is for checkShell to say.
func baseImage(ctx context.Context, arch string, base Base) (v1.Image, string, error) {
	if base == nil {
		image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		return image, scratch, nil
	}
	image, err := base.Image(ctx, arch)
	if err != nil {
		return nil, "", fmt.Errorf("cannot get the base %s: %w", base, err)
	}
	return image, base.String(), nil
}

func layerType(base v1.Image) (types.MediaType, error) {
	kind, err := base.MediaType()
	if err != nil {
		return "", fmt.Errorf("cannot read the base: %w", err)
	}
	if kind == types.DockerManifestSchema2 {
		return types.DockerLayer, nil
	}
	return types.OCILayer, nil
}

// checkShell looks for what KMM runs in the image. It reads no more than it
// takes to find it.
func checkShell(image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("cannot read its layers: %w", err)
	}
	missing := map[string]bool{"sh": true, "mkdir": true, "cp": true}
	for _, l := range layers {
		if err := lookFor(l, missing); err != nil {
			return fmt.Errorf("cannot read a layer: %w", err)
		}
		if len(missing) == 0 {
			return nil
		}
	}
	for program := range missing {
		return fmt.Errorf("it has no /bin/%s, and KMM's worker runs /bin/sh, mkdir and cp in the image; use another base, such as %s, or scratch if only the agent reads the image", program, DefaultBase)
	}
	return nil
}

func lookFor(l v1.Layer, missing map[string]bool) error {
	return eachFile(l, func(h *tar.Header, _ io.Reader) (bool, error) {
		switch dir, program := path.Split(path.Clean("/" + h.Name)); dir {
		case "/bin/", "/usr/bin/":
			delete(missing, program)
		}
		return len(missing) > 0, nil
	})
}

// eachFile reads the files of a layer, until there is none or no more is wanted.
func eachFile(l v1.Layer, read func(*tar.Header, io.Reader) (more bool, err error)) (err error) {
	r, err := plain(l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := read(h, files); err != nil || !more {
			return err
		}
	}
}

// RegistryBase is a base by reference.
type RegistryBase struct {
	ref    name.Reference
	remote *Remote
	digest string // of what was found first, so that all architectures are of one publication
}

// NewRegistryBase parses a reference such as registry/repo:tag or @sha256:….
func NewRegistryBase(ref string, r *Remote) (*RegistryBase, error) {
	parsed, err := r.parse(ref)
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	return &RegistryBase{ref: parsed, remote: r}, nil
}

// Pinned tells whether the reference names a digest: only then is the base the
// same next time.
func (b *RegistryBase) Pinned() bool { _, ok := b.ref.(name.Digest); return ok }

// String is the reference, with the digest once that is known.
func (b *RegistryBase) String() string {
	if b.digest == "" || b.Pinned() {
		return b.ref.Name()
	}
	return b.ref.Name() + "@" + b.digest
}

// Image fetches the base for an architecture.
func (b *RegistryBase) Image(ctx context.Context, arch string) (v1.Image, error) {
	ref := b.ref
	if b.digest != "" {
		ref = b.ref.Context().Digest(b.digest)
	}
	found, err := b.remote.puller.Get(patiently(ctx), ref)
	if err != nil {
		return nil, explain(err)
	}
	b.digest = found.Digest.String()
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return nil, err
		}
		return forArch(image, arch)
	}
	list, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	return fromIndex(list, arch, maxIndexDepth)
}

// LayoutBase is a base in an OCI layout folder.
type LayoutBase string

// String is the folder as --base has it.
func (b LayoutBase) String() string { return "oci:" + string(b) }

// Image reads the base for an architecture.
func (b LayoutBase) Image(_ context.Context, arch string) (v1.Image, error) {
	list, err := layout.ImageIndexFromPath(string(b))
	if err != nil {
		return nil, err
	}
	return fromIndex(list, arch, maxIndexDepth)
}

// maxIndexDepth bounds indexes within each other: a folder may hold one that lists
// itself.
const maxIndexDepth = 4

// fromIndex finds the image for linux on arch, also in an index within.
func fromIndex(list v1.ImageIndex, arch string, depth int) (v1.Image, error) {
	if depth == 0 {
		return nil, errors.New("its indexes list each other too deeply")
	}
	images, err := partial.FindImages(list, func(d v1.Descriptor) bool {
		return d.Platform == nil || (d.Platform.OS == "linux" && d.Platform.Architecture == arch)
	})
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		if image, err := forArch(image, arch); err == nil {
			return image, nil
		}
	}
	manifest, err := list.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range manifest.Manifests {
		if !d.MediaType.IsIndex() {
			continue
		}
		inner, err := list.ImageIndex(d.Digest)
		if err != nil {
			return nil, err
		}
		return fromIndex(inner, arch, depth-1)
	}
	return nil, fmt.Errorf("no image for linux/%s found in it", arch)
}

func forArch(image v1.Image, arch string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	if config.OS != "linux" || config.Architecture != arch {
		return nil, fmt.Errorf("it is for %s/%s, not for linux/%s", config.OS, config.Architecture, arch)
	}
	return image, nil
}
