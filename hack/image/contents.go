package main

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/sbom"
)

// contentsOf lists in SPDX what an image holds, as an artifact that names the
// image as its subject, so that registries list it among the image's referrers.
func contentsOf(o Options, arch string, image v1.Image, program []byte) (v1.Image, error) {
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	document, err := sbom.Program(o.program(), o.Version, program, o.Modules, o.Created)
	if err != nil {
		return nil, err
	}
	document.Contains(sbom.Package{
		Name: o.program() + "-image-" + arch, Version: o.Version, Purpose: "CONTAINER", Download: "NOASSERTION",
		LicenseConcluded: "NOASSERTION", LicenseDeclared: "Apache-2.0", Copyright: "NOASSERTION",
		Checksums: []sbom.Checksum{{Algorithm: "SHA256", Value: subject.Digest.Hex}},
		Refs: []sbom.Ref{{Category: "PACKAGE-MANAGER", Type: "purl",
			Locator: "pkg:oci/" + o.program() + "@" + strings.Replace(subject.Digest.String(), ":", "%3A", 1) + "?arch=" + arch}},
	}, sbom.Package{
		Name: "mozilla-ca-certificates", Purpose: "FILE", Download: "NOASSERTION",
		LicenseConcluded: "NOASSERTION", LicenseDeclared: "MPL-2.0", Copyright: "NOASSERTION",
	})
	text, err := document.JSON()
	if err != nil {
		return nil, err
	}
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), sbom.MediaType)
	if artifact, err = mutate.AppendLayers(artifact, static.NewLayer(text, sbom.MediaType)); err != nil {
		return nil, fmt.Errorf("cannot make the artifact: %w", err)
	}
	artifact = mutate.Annotations(artifact, map[string]string{"org.opencontainers.image.title": "SPDX of " + o.program() + " " + o.Version + " for " + arch}).(v1.Image)
	return mutate.Subject(artifact, *subject).(v1.Image), nil
}
