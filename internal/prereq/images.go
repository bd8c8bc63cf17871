package prereq

import (
	"context"
	"fmt"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

const (
	// lookups is how many images are looked at together: registries limit their
	// callers.
	lookups = 4
	// moduleFolder is where KMM looks in an image, by the chart's dirName.
	moduleFolder = image.DirName + "/lib/modules/"
)

// imageSeen is the image of one kernel, and what is in it.
type imageSeen struct {
	mapped
	// built says that KMM makes the image in the cluster.
	built  bool
	answer compatibility.Answer
	// contents is nil where the image is not there, or err says why not.
	contents *image.Contents
	err      error
}

// line tells of the image, which it names once. What differs in nothing but the image
// and the kernel has one cause.
func (i imageSeen) line(text string) detail {
	d := detail{item: i.String(), line: fmt.Sprintf("%s: %s: %s", i.mapped, i.mapping.Image, text)}
	if rest, named := strings.CutPrefix(text, i.mapping.Image+" "); named {
		d.line = fmt.Sprintf("%s: %s %s", i.mapped, i.mapping.Image, rest)
	}
	d.cause = strings.NewReplacer(i.mapping.Image, "", i.release, "").Replace(text)
	return d
}

// images looks at the image of each mapped kernel: each image is asked for once
// and its layers are fetched once, whatever the number of nodes and kernels.
func (e *env) images(ctx context.Context) ([]imageSeen, error) {
	return fact(e, "images", func() ([]imageSeen, error) {
		all, err := e.mapped(ctx)
		if err != nil {
			return nil, err
		}
		var list []imageSeen
		for _, m := range all {
			if m.fault == "" {
				list = append(list, imageSeen{mapped: m, built: m.mapping.Mapping.Build != nil || m.mapping.Mapping.Sign != nil})
			}
		}
		e.lookAt(ctx, list)
		return list, nil
	})
}

func (e *env) lookAt(ctx context.Context, list []imageSeen) {
	s := &sight{images: e.Images, reader: image.NewReader(image.DirName, "pf_ring"), asked: map[string]*askedImage{}}
	var workers sync.WaitGroup
	slots := make(chan struct{}, lookups)
	for n := range list {
		if list[n].built {
			continue
		}
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			s.look(ctx, &list[n])
		})
	}
	workers.Wait()
}

// sight remembers what registries have said.
type sight struct {
	images *compatibility.Images
	reader *image.Reader

	mu    sync.Mutex
	asked map[string]*askedImage
}

// askedImage is an image for an architecture, asked for once.
type askedImage struct {
	once   sync.Once
	image  v1.Image
	answer compatibility.Answer
}

func (s *sight) look(ctx context.Context, i *imageSeen) {
	key := i.mapping.Image + " " + i.arch
	s.mu.Lock()
	asked := s.asked[key]
	if asked == nil {
		asked = &askedImage{}
		s.asked[key] = asked
	}
	s.mu.Unlock()
	asked.once.Do(func() {
		asked.image, asked.answer = s.images.Find(ctx, i.mapping.Image, i.arch, compatibility.TLSOf(i.mapping.Mapping.RegistryTLS))
	})
	if i.answer = asked.answer; asked.image != nil {
		i.contents, i.err = s.reader.Read(ctx, asked.image, i.release)
	}
}
