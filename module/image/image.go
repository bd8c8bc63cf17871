package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/module/image/depmod"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
)

// DirName is KMM's default of modprobe.dirName: the folder of the image that
// has lib/modules.
const DirName = "/opt"

// Options say how an image is made.
type Options struct {
	// Base gives the image its shell; nil leaves the image with modules only,
	// which the agent takes and KMM does not.
	Base Base
	// DirName is KMM's modprobe.dirName; "" is DirName.
	DirName string
	// Created is the time of the image and of all its files; the zero value is
	// the start of 1970, which keeps images the same whenever they are made.
	Created time.Time
	// Labels are set beside the usual ones.
	Labels map[string]string
}

// Base is what an image builds upon.
type Base interface {
	// Image returns the base for an architecture, a GOARCH name.
	Image(ctx context.Context, arch string) (v1.Image, error)
	// String says what it is, for labels.
	String() string
}

// Image is an image for one or more architectures.
type Image struct {
	// Index is set when there are several architectures.
	Index v1.ImageIndex
	// Image is set when there is one.
	Image v1.Image
	// Archs are GOARCH names, sorted.
	Archs []string
	// Releases are the kernels that it has modules for, sorted.
	Releases []string
	// Attached are written with it, without tags: each has a manifest of the
	// image as its subject, such as a list of what is in it. A docker archive
	// has no place for them.
	Attached []v1.Image
}

// Digest is what a registry knows the image by.
func (i *Image) Digest() (v1.Hash, error) {
	if i.Index != nil {
		return i.Index.Digest()
	}
	return i.Image.Digest()
}

// Build packs modules into one image: for several architectures an index with
// one image each.
func Build(ctx context.Context, modules []Module, o Options) (*Image, error) {
	o.DirName = cmp.Or(o.DirName, DirName)
	if o.Created.IsZero() {
		o.Created = time.Unix(0, 0).UTC()
	}
	byArch := map[string][]Module{}
	out := &Image{}
	for _, m := range modules {
		byArch[m.Info.Arch] = append(byArch[m.Info.Arch], m)
		out.Releases = append(out.Releases, m.Info.KernelRelease)
	}
	slices.Sort(out.Releases)
	out.Releases = slices.Compact(out.Releases)
	out.Archs = slices.Sorted(maps.Keys(byArch))
	images := map[string]v1.Image{}
	for _, arch := range out.Archs {
		image, err := buildOne(ctx, arch, byArch[arch], o)
		if err != nil {
			return nil, fmt.Errorf("cannot pack for %s: %w", arch, err)
		}
		images[arch] = image
	}
	combined, err := Combine(images)
	if err != nil {
		return nil, err
	}
	out.Index, out.Image = combined.Index, combined.Image
	return out, nil
}

// Combine makes one image of those for each architecture, by GOARCH name.
func Combine(images map[string]v1.Image) (*Image, error) {
	out := &Image{Archs: slices.Sorted(maps.Keys(images))}
	if len(images) == 1 {
		out.Image = images[out.Archs[0]]
		return out, nil
	}
	var err error
	out.Index, err = index(images)
	return out, err
}

// index lists images by platform, as Docker's manifest list if they are
// Docker's.
func index(images map[string]v1.Image) (v1.ImageIndex, error) {
	var all v1.ImageIndex = empty.Index
	kind := types.OCIImageIndex
	for _, arch := range slices.Sorted(maps.Keys(images)) {
		of, err := images[arch].MediaType()
		if err != nil {
			return nil, fmt.Errorf("cannot read the image's type: %w", err)
		}
		if of == types.DockerManifestSchema2 {
			kind = types.DockerManifestList
		}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{
			Add: images[arch], Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return mutate.IndexMediaType(all, kind), nil
}

func buildOne(ctx context.Context, arch string, modules []Module, o Options) (v1.Image, error) {
	base, from, err := baseImage(ctx, arch, o.Base)
	if err != nil {
		return nil, err
	}
	kind, err := layerType(base)
	if err != nil {
		return nil, err
	}
	// The base's layers come over the network; meanwhile the module is packed.
	checked := make(chan error, 1)
	go func() {
		if from == scratch {
			checked <- nil
			return
		}
		checked <- checkShell(base)
	}()
	files, err := tree(modules, strings.Trim(o.DirName, "/"))
	if err != nil {
		return nil, err
	}
	packed, err := layer.New(files, o.Created, kind)
	if err != nil {
		return nil, err
	}
	if err := <-checked; err != nil {
		return nil, fmt.Errorf("the base %s, %s: %w", from, arch, err)
	}
	return finish(base, arch, mutate.Addendum{
		Layer: packed, MediaType: kind,
		History: v1.History{Created: v1.Time{Time: o.Created}, CreatedBy: "pfring module pack", Comment: "kernel modules on " + from},
	}, labels(modules, from, o.Labels), o.Created)
}

// tree is what lies below lib/modules for each kernel.
func tree(modules []Module, dir string) ([]layer.File, error) {
	var files []layer.File
	for _, m := range modules {
		folder := "lib/modules/" + m.Info.KernelRelease + "/"
		if dir != "" {
			folder = dir + "/" + folder
		}
		name := m.Info.Name + ".ko"
		described, err := depmod.Describe(name, m.Data)
		if err != nil {
			return nil, err
		}
		index, err := depmod.Files([]depmod.Module{described}, depmod.Kernel{})
		if err != nil {
			return nil, fmt.Errorf("cannot index %s: %w", m.From, err)
		}
		files = append(files, layer.File{Name: folder + name, Mode: 0o644, Data: m.Data})
		for name, data := range index {
			files = append(files, layer.File{Name: folder + name, Mode: 0o644, Data: data})
		}
	}
	return files, nil
}

// labels are OCI's annotation keys, where it has one.
func labels(modules []Module, base string, more map[string]string) map[string]string {
	var versions, releases []string
	for _, m := range modules {
		versions = append(versions, m.Info.Version)
		releases = append(releases, m.Info.KernelRelease)
	}
	slices.Sort(versions)
	out := map[string]string{
		"org.opencontainers.image.title":       modules[0].Info.Name,
		"org.opencontainers.image.description": "kernel module " + modules[0].Info.Name + " for KMM and for the PF_RING agent",
		"org.opencontainers.image.version":     strings.Join(slices.Compact(versions), " "),
		"org.opencontainers.image.licenses":    modules[0].Info.License,
		"org.opencontainers.image.base.name":   base,
		"com.kubeshark.pfring.kernel-releases": strings.Join(releases, " "),
	}
	maps.Copy(out, more)
	return out
}

// finish appends the layer and sets what the image says of itself.
func finish(base v1.Image, arch string, add mutate.Addendum, labels map[string]string, created time.Time) (v1.Image, error) {
	image, err := mutate.Append(base, add)
	if err != nil {
		return nil, fmt.Errorf("cannot add a layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: created}
	config.Config.Labels = maps.Clone(config.Config.Labels)
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	maps.Copy(config.Config.Labels, labels)
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, fmt.Errorf("cannot configure the image: %w", err)
	}
	return image, nil
}

// BuildEach packs an image for each kernel release, under the tags by which it
// is looked for. Two releases that come to the same tag are an error.
func BuildEach(ctx context.Context, modules []Module, o Options) ([]Named, error) {
	byRelease := map[string][]Module{}
	for _, m := range modules {
		byRelease[m.Info.KernelRelease] = append(byRelease[m.Info.KernelRelease], m)
	}
	owner := map[string]string{}
	var out []Named
	for _, release := range slices.Sorted(maps.Keys(byRelease)) {
		image, err := Build(ctx, byRelease[release], o)
		if err != nil {
			return nil, err
		}
		for _, tag := range tags(release) {
			if other, taken := owner[tag]; taken {
				return nil, fmt.Errorf("kernels %s and %s would both get the tag %s: pack one of them with a separate tag", other, release, tag)
			}
			owner[tag] = release
			out = append(out, Named{Tag: tag, Image: image})
		}
	}
	return out, nil
}
