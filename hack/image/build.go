package main

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/licenses"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/module/image/layer"
)

// Options say what goes into the image.
type Options struct {
	// Program is pfring-agent or pfring-controller; "" is the first. Binaries is
	// the folder with PROGRAM-ARCH.
	Program  string
	Binaries string
	Archs    []string
	// Version and Revision become labels.
	Version, Revision string
	// Created is the time of the image and its files.
	Created time.Time
	// License is this project's; Modules are what the program is linked from.
	License []byte
	Modules []licenses.Module
}

// nobody is the user that the image runs as unless the chart says otherwise.
const nobody = "65532:65532"

// Build makes the image, with a list of what is in it for each architecture.
func Build(o Options) (*image.Image, error) {
	images := map[string]v1.Image{}
	var attached []v1.Image
	for _, arch := range o.Archs {
		program, err := readProgram(filepath.Join(o.Binaries, o.program()+"-"+arch), arch)
		if err != nil {
			return nil, err
		}
		if images[arch], err = buildOne(o, arch, program); err != nil {
			return nil, fmt.Errorf("cannot make the image for %s: %w", arch, err)
		}
		contents, err := contentsOf(o, arch, images[arch], program)
		if err != nil {
			return nil, fmt.Errorf("cannot list what the image for %s holds: %w", arch, err)
		}
		attached = append(attached, contents)
	}
	out, err := image.Combine(images)
	if err != nil {
		return nil, err
	}
	if out.Index != nil {
		out.Index = mutate.Annotations(out.Index, labels(o)).(v1.ImageIndex)
	}
	out.Attached = attached
	return out, nil
}

// descriptions are those of the programs that there are images of.
var descriptions = map[string]string{
	"pfring-agent":      "Loads the PF_RING kernel module on a Kubernetes node, for Kubeshark",
	"pfring-controller": "Builds, keeps and serves PF_RING kernel modules for the nodes of a Kubernetes cluster, for Kubeshark",
}

func (o Options) program() string { return cmp.Or(o.Program, "pfring-agent") }

// readProgram reads the program, which must need nothing from the image.
func readProgram(path, arch string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the program (make %s ARCH=%s): %w", strings.TrimPrefix(filepath.Base(strings.TrimSuffix(path, "-"+arch)), "pfring-"), arch, err)
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s is not a Linux program: %w", path, err)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if f.Machine != machine {
		return nil, fmt.Errorf("%s is for %s, not for %s", path, f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("%s is not static", path)
		}
	}
	return data, nil
}

func buildOne(o Options, arch string, program []byte) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, part := range []struct {
		what  string
		files []layer.File
	}{
		// The certificates first: they change less often, and are the same for
		// all architectures.
		{"CA certificates of Mozilla, by golang.org/x/crypto/x509roots", []layer.File{{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certificates()}}},
		{"licences", []layer.File{
			{Name: "licenses/LICENSE", Mode: 0o644, Data: o.License},
			{Name: "licenses/THIRD_PARTY_LICENSES", Mode: 0o644, Data: []byte(licenses.Texts(o.Modules))},
		}},
		{o.program() + " " + o.Version, []layer.File{{Name: o.program(), Mode: 0o755, Data: program}}},
	} {
		l, err := layer.New(part.files, o.Created, types.OCILayer)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{
			Created: v1.Time{Time: o.Created}, CreatedBy: "make image", Comment: part.what,
		}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: o.Created}
	config.Config = v1.Config{User: nobody, WorkingDir: "/", Entrypoint: []string{"/" + o.program()}, Labels: labels(o)}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, labels(o)).(v1.Image), nil
}

// certificates is the bundle in PEM. Roots that are trusted with reservations
// only are left out, since a file cannot say so.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}

func labels(o Options) map[string]string {
	out := map[string]string{
		"org.opencontainers.image.title":       o.program(),
		"org.opencontainers.image.description": descriptions[o.program()],
		"org.opencontainers.image.source":      "https://github.com/kubeshark/kubeshark-pfring",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     o.Version,
		"org.opencontainers.image.created":     o.Created.Format(time.RFC3339),
	}
	if o.Revision != "" {
		out["org.opencontainers.image.revision"] = o.Revision
	}
	return out
}
