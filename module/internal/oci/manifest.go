package oci

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxManifest is the size, in bytes, that registries must accept at least and
// that clients read at most.
const maxManifest = 4 << 20

// manifest is an image or artifact manifest, or, with Manifests, an index of
// such for several platforms; OCI's and Docker's are alike in what is read.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	Layers        []descriptor `json:"layers"`
	Manifests     []descriptor `json:"manifests"`
}

type descriptor struct {
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
	Platform    struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// manifest fetches a manifest by tag or digest.
func (s *Source) manifest(ctx context.Context, reference string) (*manifest, error) {
	what := "fetch the manifest " + reference
	r, err := s.get(ctx, what, "manifests/"+reference, http.Header{"Accept": {strings.Join([]string{
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	}, ", ")}}, maxManifest, nil)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(reference, "sha256:") {
		sum := sha256.Sum256(r.Body)
		if err := s.verify(what, reference, sum[:]); err != nil {
			return nil, err
		}
	}
	return parseManifest(what, s.String(), r.Body)
}

func parseManifest(what, where string, data []byte) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil || m.SchemaVersion != 2 {
		return nil, &fault.Error{
			Reason: outcome.SourceInvalid, What: what, Where: where, Why: "the registry's response is not a manifest of version 2", Err: err,
			Do: "Check that tap.kernelModule.source.url names a registry.",
		}
	}
	return &m, nil
}

// forArch picks linux on this GOARCH from an index; an image manifest is
// itself.
func (s *Source) forArch(ctx context.Context, m *manifest, tag, arch string) (*manifest, error) {
	if len(m.Manifests) == 0 {
		return m, nil
	}
	var archs []string
	for _, d := range m.Manifests {
		if d.Platform.OS == "linux" && d.Platform.Architecture == arch {
			if !validDigest(d.Digest) {
				return nil, &fault.Error{
					Reason: outcome.SourceInvalid, What: "read the image", Where: s.String() + ":" + tag,
					Why: fmt.Sprintf("digest %.100q is not sha256", d.Digest),
				}
			}
			return s.manifest(ctx, d.Digest)
		}
		if d.Platform.OS == "linux" {
			archs = append(archs, d.Platform.Architecture)
		}
	}
	return nil, &fault.Error{
		Reason: outcome.NoModuleForKernel, What: "read the image", Where: s.String() + ":" + tag,
		Why: "it is for " + strings.Join(archs, ", ") + ", not for " + arch,
	}
}
