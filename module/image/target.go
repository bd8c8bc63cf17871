package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// Named is an image and the tag that it gets.
type Named struct {
	Tag   string
	Image *Image
}

// Target is where images go.
type Target interface {
	// Write puts images there. It puts the tags last, so that after a failure
	// nobody finds half an image under them. It returns each image's address.
	Write(ctx context.Context, images []Named) ([]string, error)
	// Tag is the one that the target's name has, or "".
	Tag() string
}

// ParseTarget reads oci:DIR[:TAG], docker-archive:FILE[:NAME[:TAG]] or a
// registry's [oci://]REGISTRY/REPOSITORY[:TAG].
func ParseTarget(text string, r *Remote) (Target, error) {
	switch kind, rest, _ := strings.Cut(text, ":"); {
	case strings.HasPrefix(text, "oci://"):
	case (kind == "oci" || kind == "docker-archive") && rest == "":
		return nil, fmt.Errorf("invalid target %q: no file given", text)
	case kind == "oci":
		dir, tag, _ := strings.Cut(rest, ":")
		return layoutTarget{dir, tag}, nil
	case kind == "docker-archive":
		file, ref, named := strings.Cut(rest, ":")
		if !named {
			return archiveTarget{file: file, repository: "pf-ring-module"}, nil
		}
		repository, tag, _ := strings.Cut(ref, ":")
		return archiveTarget{file, repository, tag}, nil
	}
	ref, err := r.parse(text)
	if err != nil {
		return nil, err
	}
	tag := ""
	switch parsed := ref.(type) {
	case name.Digest:
		return nil, fmt.Errorf("invalid target %q: must have a tag or nothing, since the digest is the result", text)
	case name.Tag:
		if strings.HasSuffix(text, ":"+parsed.TagStr()) {
			tag = parsed.TagStr()
		}
	}
	return registryTarget{ref.Context(), tag, r}, nil
}

type archiveTarget struct{ file, repository, tag string }

func (t archiveTarget) Tag() string { return t.tag }

func (t archiveTarget) Write(_ context.Context, images []Named) (out []string, err error) {
	byName := map[name.Tag]v1.Image{}
	for _, n := range images {
		if n.Image.Index != nil {
			return nil, fmt.Errorf("a docker archive holds one architecture for each name, and the modules are for %s. Choose one with --arch, or write to oci:DIR", strings.Join(n.Image.Archs, " and "))
		}
		ref, err := name.NewTag(t.repository + ":" + n.Tag)
		if err != nil {
			return nil, fmt.Errorf("cannot name the image: %w", err)
		}
		byName[ref] = n.Image.Image
		out = append(out, "docker-archive:"+t.file+":"+t.repository+":"+n.Tag)
	}
	file, err := atomicfile.Output(t.file)
	if err != nil {
		return nil, err
	}
	if err := tarball.MultiWrite(byName, file); err != nil {
		return nil, errors.Join(&atomicfile.Error{Name: t.file, Err: readfile.Cause(err)}, file.Discard())
	}
	return out, file.Commit(0o644)
}

type registryTarget struct {
	repository name.Repository
	tag        string
	remote     *Remote
}

func (t registryTarget) Tag() string { return t.tag }

func (t registryTarget) Write(ctx context.Context, images []Named) ([]string, error) {
	ctx = patiently(ctx)
	if len(images) == 1 && len(images[0].Image.Attached) == 0 {
		return t.writeOne(ctx, images[0])
	}
	digests := make([]name.Digest, len(images))
	for i, n := range images {
		h, err := n.Image.Digest()
		if err != nil {
			return nil, err
		}
		digests[i] = t.repository.Digest(h.String())
		if err := t.remote.pusher.Push(ctx, digests[i], n.Image.taggable()); err != nil {
			return nil, fmt.Errorf("cannot push to %s (no tag was changed): %w", t.repository, explain(err))
		}
		if err := t.attach(ctx, n.Image.Attached); err != nil {
			return nil, fmt.Errorf("cannot push to %s (no tag was changed): %w", t.repository, explain(err))
		}
	}
	var out []string
	for i, n := range images {
		if err := t.remote.pusher.Push(ctx, t.repository.Tag(n.Tag), n.Image.taggable()); err != nil {
			return out, fmt.Errorf("cannot tag %s:%s: %w", t.repository, n.Tag, explain(err))
		}
		out = append(out, t.repository.Tag(n.Tag).String()+"@"+digests[i].DigestStr())
	}
	return out, nil
}

// writeOne needs no second round for the tag: the manifest that it points to is
// what is pushed last anyway.
func (t registryTarget) writeOne(ctx context.Context, n Named) ([]string, error) {
	digest, err := n.Image.Digest()
	if err != nil {
		return nil, err
	}
	if err := t.remote.pusher.Push(ctx, t.repository.Tag(n.Tag), n.Image.taggable()); err != nil {
		return nil, fmt.Errorf("cannot push to %s (no tag was changed): %w", t.repository, explain(err))
	}
	return []string{t.repository.Tag(n.Tag).String() + "@" + digest.String()}, nil
}

// attach pushes by digest. A registry that lists no referrers gets a tag that
// does, as OCI's specification has it.
func (t registryTarget) attach(ctx context.Context, attached []v1.Image) error {
	for _, image := range attached {
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		if err := t.remote.pusher.Push(ctx, t.repository.Digest(digest.String()), image); err != nil {
			return err
		}
	}
	return nil
}

func (i *Image) taggable() remote.Taggable {
	if i.Index != nil {
		return i.Index
	}
	return i.Image
}
