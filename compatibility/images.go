package compatibility

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Images looks module images up in their registries, with the caller's own
// logins. It reads manifests, never layers: whether the image holds the
// kernel's module it does not tell.
type Images struct {
	options []remote.Option
}

// NewImages trusts the CAs of the PEM file caFile, if it is not "", beside the
// system's.
func NewImages(caFile, userAgent string) (*Images, error) {
	web := remote.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA bundle: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
		}
		web.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Images{options: []remote.Option{
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(web), remote.WithUserAgent(userAgent),
	}}, nil
}

// look answers whether image is there for arch. insecure allows a registry
// without TLS.
func (i *Images) look(ctx context.Context, image, arch string, insecure bool) Answer {
	var options []name.Option
	if insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(image, options...)
	if err != nil {
		return Answer{Supported: No, Reason: ReasonImageMissing, Message: image + " is not an image reference.", Remedy: "Correct the mapping's containerImage."}
	}
	archs, err := i.architectures(ctx, ref)
	switch {
	case err != nil:
		return unreadable(image, err)
	case !slices.Contains(archs, arch):
		return Answer{
			Supported: No, Reason: ReasonImageArch, Message: fmt.Sprintf("%s is there for %s, not for %s.", image, strings.Join(archs, ", "), arch),
			Remedy: "Build the image for " + arch + " too, under the same tag.",
		}
	}
	return Answer{Supported: Yes, Present: true}
}

// architectures lists those of an image, or of all images of an index.
func (i *Images) architectures(ctx context.Context, ref name.Reference) ([]string, error) {
	found, err := remote.Get(ref, append(slices.Clone(i.options), remote.WithContext(ctx))...)
	if err != nil {
		return nil, err
	}
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		return []string{config.Architecture}, nil
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var archs []string
	for _, m := range manifest.Manifests {
		if m.Platform != nil && (m.Platform.OS == "linux" || m.Platform.OS == "") {
			archs = append(archs, m.Platform.Architecture)
		}
	}
	return archs, nil
}

// unreadable tells an image that is not there from one that cannot be seen.
func unreadable(image string, err error) Answer {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return Answer{
				Supported: No, Reason: ReasonImageMissing, Message: image + " is not in the registry.",
				Remedy: "Build the module's image for this kernel and push it, or let KMM build it (the mapping's build).",
			}
		case http.StatusUnauthorized, http.StatusForbidden:
			// Public registries say the same of what does not exist.
			return Answer{
				Supported: Unknown, Reason: ReasonImageForbidden, Message: "The registry does not show " + image + " to this login.",
				Remedy: "Log in (docker login) and ask again; if it is yours, see that it was pushed.",
			}
		}
	}
	return Answer{
		Supported: Unknown, Reason: ReasonImageUnreachable, Message: fmt.Sprintf("%s could not be looked up from here: %v.", image, err),
		Remedy: "Check the registry's name and the way to it; --images=false does not look.",
	}
}
