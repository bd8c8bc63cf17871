// Package oci is a module repository in an OCI registry, read by the registry's
// HTTP protocol (github.com/opencontainers/distribution-spec). The tag "index"
// names an artifact whose layers are the index and its signature, by title;
// modules are blobs of the same repository, by digest. Images of the historic
// kinds are read too, layer by layer, without unpacking them.
package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/dockerconfig"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// indexTag names the artifact that holds the index.
const indexTag = "index"

// titleAnnotation gives a layer its file name.
const titleAnnotation = "org.opencontainers.image.title"

// Options say which repository and how to get in.
type Options struct {
	// Registry is a host with or without a port; one without a dot or port is not a
	// host but part of a name at Docker Hub, as in an image's name. Repository
	// is a path in it, with the tag of a historic image if one is meant.
	Registry, Repository string
	// Endpoint is the registry's URL where it is not https://Registry.
	Endpoint string
	Auth     credentials.Credentials
	// DockerConfig is the path of a .dockerconfigjson, or "".
	DockerConfig string
	// Login finds who asks; nil for nobody. It is asked where neither Auth nor
	// DockerConfig is given.
	Login  func(registry, repository string) (credentials.Credentials, error)
	Client *web.Client
}

// Source fetches from one repository of a registry.
type Source struct {
	Options
	base *url.URL
	auth *authorizer
	tag  string // of a historic image; "" for the usual ones

	mu    sync.Mutex
	index *manifest // of the tag "index", as it was when one of its files was fetched
	taken map[string]bool
}

// Open returns the repository. It fails with *fault.Error when its name, the
// endpoint or the docker config cannot be used.
func Open(o Options) (*Source, error) {
	s := &Source{Options: o}
	s.Repository, s.tag, _ = strings.Cut(strings.Trim(o.Repository, "/"), ":")
	if s.Registry != "localhost" && !strings.ContainsAny(s.Registry, ".:") {
		s.Registry, s.Repository = "docker.io", strings.Trim(s.Registry+"/"+s.Repository, "/")
	}
	if s.Repository == "" || strings.ContainsAny(s.Repository, ":@?#% ") || s.Repository != strings.ToLower(s.Repository) {
		return nil, s.bad("it has no repository: must be oci://registry/repository, in lower case", "source.url")
	}
	if dockerconfig.IsDockerHub(s.Registry) && !strings.Contains(s.Repository, "/") {
		s.Repository = "library/" + s.Repository
	}
	base, err := url.Parse(s.endpoint())
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, s.bad("the endpoint is not a URL", "source.endpoint")
	}
	s.base = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimSuffix(base.Path, "/")}
	auth := o.Auth
	if auth.Username == "" && auth.Token == "" {
		if o.DockerConfig == "" && o.Login != nil {
			auth, err = o.Login(s.Registry, s.Repository)
		} else {
			auth, err = dockerAuth(o.DockerConfig, s.Registry, s.Repository)
		}
		if err != nil {
			return nil, err
		}
	}
	s.auth = &authorizer{client: o.Client, auth: auth, scope: "repository:" + s.Repository + ":pull", secure: base.Scheme == "https"}
	return s, nil
}

func (s *Source) endpoint() string {
	host, _, _ := strings.Cut(s.Registry, ":")
	switch {
	case s.Endpoint != "":
		return s.Endpoint
	case dockerconfig.IsDockerHub(s.Registry):
		return "https://registry-1.docker.io"
	case host == "localhost" || strings.HasPrefix(host, "127.") || strings.HasPrefix(s.Registry, "[::1]"):
		// As every client does: nobody has a certificate for this machine.
		return "http://" + s.Registry
	}
	return "https://" + s.Registry
}

func (s *Source) bad(why, key string) error {
	return &fault.Error{
		Reason: outcome.SourceInvalid, What: "open the registry", Where: s.String(), Why: why, Do: "Correct tap.kernelModule." + key + ".",
	}
}

// String is the repository's address as in the values.
func (s *Source) String() string {
	name := "oci://" + s.Registry + "/" + s.Repository
	if s.tag != "" {
		name += ":" + s.tag
	}
	return name
}

// Fetch gets the layer with this title of the index artifact. The artifact is
// looked up again for the signature and the index, whichever is fetched first,
// so that both are of the same publication.
func (s *Source) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	var data stream.Buffer
	if err := s.FetchTo(ctx, path, max, &data); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// FetchTo is Fetch that hands the layer on as it comes. What to was given is to
// be believed only when FetchTo has returned without an error.
func (s *Source) FetchTo(ctx context.Context, path string, max int64, to stream.Sink) error {
	m, err := s.artifact(ctx, path)
	if err != nil {
		return err
	}
	for _, layer := range m.Layers {
		if layer.Annotations[titleAnnotation] == path {
			return s.blobTo(ctx, "fetch "+path, layer.Digest, max, to)
		}
	}
	return fault.NotFound("fetch "+path, s.String()+":"+indexTag)
}

// artifact is the manifest of the index artifact: the one that its other half
// was taken from, or a fresh one.
func (s *Source) artifact(ctx context.Context, path string) (*manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index != nil && !s.taken[path] {
		s.taken[path] = true
		return s.index, nil
	}
	m, err := s.manifest(ctx, indexTag)
	if err != nil {
		return nil, err
	}
	s.index, s.taken = m, map[string]bool{path: true}
	return m, nil
}

// FetchBlob gets the blob with this digest, in hexadecimal.
func (s *Source) FetchBlob(ctx context.Context, sha256 string, max int64) ([]byte, error) {
	var data stream.Buffer
	if err := s.blobTo(ctx, "fetch the module", "sha256:"+sha256, max, &data); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// blobTo fetches a blob, and fails when it is not that of the digest.
func (s *Source) blobTo(ctx context.Context, what, digest string, max int64, to stream.Sink) error {
	if !validDigest(digest) {
		return &fault.Error{Reason: outcome.SourceInvalid, What: what, Where: s.String(), Why: fmt.Sprintf("digest %.100q is not sha256", digest)}
	}
	hash := sha256.New()
	if _, err := s.get(ctx, what, "blobs/"+digest, nil, max, stream.Tee(to, stream.Of(hash, hash.Reset))); err != nil {
		return err
	}
	return s.verify(what, digest, hash.Sum(nil))
}

func (s *Source) verify(what, digest string, sum []byte) error {
	if got := "sha256:" + hex.EncodeToString(sum); got != digest {
		return &fault.Error{
			Reason: outcome.DigestMismatch, What: what, Where: s.String(), Why: fmt.Sprintf("the registry delivered %s for %s", got, digest),
			Do: "Push it again. If that does not help, look for a cache or proxy in between that changes content.",
		}
	}
	return nil
}

func validDigest(digest string) bool {
	hexadecimal, ok := strings.CutPrefix(digest, "sha256:")
	_, err := hex.DecodeString(hexadecimal)
	return ok && err == nil && len(hexadecimal) == 2*sha256.Size && hexadecimal == strings.ToLower(hexadecimal)
}
