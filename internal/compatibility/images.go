package compatibility

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// Images looks module images up in their registries, with the caller's own
// logins. It reads manifests, never layers: whether the image holds the
// kernel's module it does not tell.
type Images struct {
	options []remote.Option
	// trusting takes any certificate, for registries of which the values say so.
	trusting remote.Option

	mu sync.Mutex
	// away has the registries that could not be reached, and why.
	away map[reach]failure
	now  func() time.Time
}

// awayFor is how long a registry that could not be reached is not asked again: long
// enough for the rest of a cluster's kernels, and shorter than a person who watches
// waits.
const awayFor = 10 * time.Second

// failure is why something failed, and when that was seen.
type failure struct {
	err error
	at  time.Time
}

// reach is a registry and how it is spoken to.
type reach struct {
	registry string
	tls      RegistryTLS
}

// ImagesOptions say how to get at registries.
type ImagesOptions struct {
	// CAFile has CAs in PEM to trust beside the system's, or is "".
	CAFile string
	// DockerConfig is a file as Docker and Kubernetes' pull secrets have it; "" is
	// the caller's own logins.
	DockerConfig string
	UserAgent    string
}

// NewImages reads the files that o names.
func NewImages(o ImagesOptions) (*Images, error) {
	logins, err := image.CallerKeychain("")
	if o.DockerConfig != "" {
		logins, err = image.ReadKeychain(o.DockerConfig)
	}
	if err != nil {
		return nil, err
	}
	web := remote.DefaultTransport.(*http.Transport).Clone()
	roots, err := image.RootCAs(o.CAFile)
	if err != nil {
		return nil, err
	}
	web.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	web.OnProxyConnectResponse = proxyAnswer
	blind := web.Clone()
	blind.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} // #nosec G402 -- the mapping's registryTLS asks for it
	return &Images{
		options: []remote.Option{
			remote.WithAuthFromKeychain(logins), remote.WithTransport(web), remote.WithUserAgent(o.UserAgent),
		},
		trusting: remote.WithTransport(blind),
		away:     map[reach]failure{}, now: time.Now,
	}, nil
}

// RegistryTLS says how loosely a registry is spoken to: as the mapping's
// registryTLS.
type RegistryTLS struct {
	// Insecure allows no TLS at all, SkipVerify any certificate.
	Insecure, SkipVerify bool
}

// Find answers whether image is there for arch, and returns it if so. Of an
// image nothing but manifest and configuration is fetched yet; its layers are,
// within ctx, when they are read.
//
// A registry whose name is not known, that does not answer or is not trusted is
// not asked again for the next images: a cluster may have hundreds of kernels, and
// each would wait as long.
func (i *Images) Find(ctx context.Context, image, arch string, t RegistryTLS) (v1.Image, Answer) {
	var names []name.Option
	if t.Insecure {
		names = append(names, name.Insecure)
	}
	ref, err := name.ParseReference(image, names...)
	if err != nil {
		return nil, Answer{Supported: No, Reason: ReasonImageMissing, Message: image + " is not an image reference.", Remedy: "Correct the mapping's containerImage."}
	}
	options := append(slices.Clone(i.options), remote.WithContext(ctx))
	if t.SkipVerify {
		options = append(options, i.trusting)
	}
	at := reach{ref.Context().RegistryStr(), t}
	if err := i.isAway(at); err != nil {
		return nil, unreadable(image, at.registry, err)
	}
	end := waiting.Begin(ctx, "the registry "+at.registry)
	found, archs, err := fetch(ref, arch, options)
	end()
	switch {
	case err != nil:
		if reason, _, _ := unreached(err); reason != "" && ctx.Err() == nil {
			i.setAway(at, err)
		}
		return nil, unreadable(image, at.registry, err)
	case found == nil:
		return nil, Answer{
			Supported: No, Reason: ReasonImageArch, Message: fmt.Sprintf("%s is there for %s, not for %s.", image, strings.Join(archs, ", "), arch),
			Remedy: "Build the image for " + arch + " too, under the same tag.",
		}
	}
	return found, Answer{Supported: Yes, Present: true}
}

func (i *Images) isAway(at reach) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if last := i.away[at]; i.now().Before(last.at.Add(awayFor)) {
		return last.err
	}
	return nil
}

func (i *Images) setAway(at reach, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away[at] = failure{err, i.now()}
}

// fetch returns the image for linux on arch, or nil and the architectures that
// there are.
func fetch(ref name.Reference, arch string, options []remote.Option) (v1.Image, []string, error) {
	found, err := remote.Get(ref, options...)
	if err != nil {
		return nil, nil, err
	}
	if !found.MediaType.IsIndex() {
		image, err := found.Image()
		if err != nil {
			return nil, nil, err
		}
		config, err := image.ConfigFile()
		if err != nil || config.Architecture == arch {
			return image, nil, err
		}
		return nil, []string{config.Architecture}, nil
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, nil, err
	}
	var archs []string
	for _, m := range manifest.Manifests {
		if m.Platform == nil || m.Platform.OS != "linux" && m.Platform.OS != "" {
			continue
		}
		if m.Platform.Architecture == arch {
			image, err := index.Image(m.Digest)
			return image, nil, err
		}
		archs = append(archs, m.Platform.Architecture)
	}
	return nil, archs, nil
}

// unreadable tells an image that is not there from one that cannot be seen.
func unreadable(image, registry string, err error) Answer {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return Answer{
				Supported: No, Reason: ReasonImageMissing, Message: image + " is not in the registry.",
				Remedy: "Build the module's image for this kernel and push it, or let KMM build it (the mapping's build).",
			}
		case http.StatusUnauthorized, http.StatusForbidden:
			return hidden(image, answer)
		}
	}
	reason, why, remedy := unreached(err)
	switch {
	// On a registry nearby, http is tried where https failed: it may have no TLS and
	// answer, or have TLS and refuse to speak http.
	case answer != nil && (reason == "" || errors.Is(err, http.ErrSchemeMismatch)):
		return answered(image, answer)
	case reason != "":
		return Answer{
			Supported: Unknown, Reason: reason, Remedy: remedy,
			Message: fmt.Sprintf("%s could not be looked up from here: %s: %s%s.", image, registry, why, detail(err)),
		}
	}
	return Answer{
		Supported: Unknown, Reason: ReasonImageUnreachable, Message: fmt.Sprintf("%s could not be looked up from here: %v.", image, withoutCall(err)),
		Remedy: "Check the registry's name and the network path to it. To skip the lookup, set --images=false.",
	}
}

// longestSaid bounds what is repeated of a registry's own words, in characters.
const longestSaid = 200

// serverMessage is what a registry says in a refusal, without a full stop; "" if nothing that
// people read.
func serverMessage(e *transport.Error) string {
	var list []string
	for _, d := range e.Errors {
		if text := strings.Join(strings.Fields(d.Message), " "); text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	text := strings.Join(list, "; ")
	if len(e.Errors) == 0 {
		// The library shows the body of an answer that is not JSON in its own text alone.
		_, text, _ = strings.Cut(e.Error(), http.StatusText(e.StatusCode)+": ")
		text = strings.Join(strings.Fields(text), " ")
	}
	if strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") {
		return "" // a page for a browser, or JSON of another kind
	}
	runes := []rune(text)
	return strings.TrimRight(string(runes[:min(longestSaid, len(runes))]), ".")
}

// answered is an image of which a registry says neither that it is there nor that it is
// not.
func answered(image string, e *transport.Error) Answer {
	remedy := "Check the registry, which received the request. To skip the lookup, set --images=false."
	if e.StatusCode == http.StatusTooManyRequests {
		remedy = "Try again later, or log in (docker login): registries allow more requests to users that they know."
	}
	what := strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode)))
	if words := serverMessage(e); words != "" {
		what += ": " + words
	}
	return Answer{
		Supported: Unknown, Reason: ReasonImageUnreachable, Remedy: remedy,
		Message: fmt.Sprintf("%s could not be looked up from here: the registry answered %s.", image, what),
	}
}

// hidden is an image that a registry does not show to this login. Public registries
// say the same of what does not exist.
func hidden(image string, e *transport.Error) Answer {
	a := Answer{
		Supported: Unknown, Reason: ReasonImageForbidden, Message: "The registry does not show " + image + " to this login.",
		Remedy: "Log in (docker login) and try again. If the repository is yours, check that the image was pushed.",
	}
	if words := serverMessage(e); words != "" {
		a.Message = "The registry does not show " + image + " to this login: " + words + "."
		if strings.Contains(strings.ToLower(words), "expired") {
			a.Remedy = "Your login has expired: log in again (docker login)."
		}
	}
	return a
}
