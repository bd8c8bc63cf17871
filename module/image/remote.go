package image

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// RemoteOptions say how to get at registries.
type RemoteOptions struct {
	// DockerConfig is a file as Docker and Kubernetes' pull secrets have it; ""
	// is the caller's own: $DOCKER_CONFIG or ~/.docker, with its helpers.
	DockerConfig string
	// PlainHTTP speaks to registries without TLS. To those of this machine that
	// is done anyway.
	PlainHTTP bool
	// CAFile is a PEM bundle that is trusted besides the system's.
	CAFile    string
	UserAgent string
}

// Remote is access to registries.
type Remote struct {
	options []remote.Option
	names   []name.Option
	puller  *remote.Puller
	pusher  *remote.Pusher
}

// NewRemote reads the files that o names.
func NewRemote(o RemoteOptions) (*Remote, error) {
	var logins authn.Keychain = authn.DefaultKeychain
	if o.DockerConfig != "" {
		k, err := ReadKeychain(o.DockerConfig)
		if err != nil {
			return nil, err
		}
		logins = k
	}
	web := remote.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA bundle: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", o.CAFile)
		}
		web.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	r := &Remote{options: []remote.Option{remote.WithAuthFromKeychain(logins), remote.WithTransport(web)}}
	if o.UserAgent != "" {
		r.options = append(r.options, remote.WithUserAgent(o.UserAgent))
	}
	if o.PlainHTTP {
		r.names = append(r.names, name.Insecure)
	}
	var err error
	if r.puller, err = remote.NewPuller(r.options...); err != nil {
		return nil, fmt.Errorf("preparing to pull: %w", err)
	}
	if r.pusher, err = remote.NewPusher(r.options...); err != nil {
		return nil, fmt.Errorf("preparing to push: %w", err)
	}
	return r, nil
}

func (r *Remote) parse(ref string) (name.Reference, error) {
	parsed, err := name.ParseReference(strings.TrimPrefix(ref, "oci://"), r.names...)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	return parsed, nil
}

func (r *Remote) repository(text string) (name.Repository, error) {
	parsed, err := name.NewRepository(strings.TrimPrefix(text, "oci://"), r.names...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("%q is not a repository of a registry: %w", text, err)
	}
	return parsed, nil
}

// full tells whether a registry has no room. Those that keep files may say so as
// an internal error with the system's number for it.
func full(answer *transport.Error) bool {
	if answer.StatusCode == http.StatusInsufficientStorage {
		return true
	}
	text := answer.Error()
	return answer.StatusCode >= 500 && (strings.Contains(text, "no space left on device") || strings.Contains(text, "Err:28 "))
}

// explain adds to a registry's error what to do about it.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var answer *transport.Error
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w; log in with an account that may do this (docker login, or --docker-config FILE)", err)
	case errors.As(err, &answer) && full(answer):
		// Not err: some registries answer with the inner life of their storage.
		return fmt.Errorf("the registry is full (it answered %d); make room there and run it again", answer.StatusCode)
	case errors.As(err, &authority):
		return fmt.Errorf("%w; give the registry's CA with --ca-file", err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w; the registry has no TLS: use --plain-http if that is meant to be", err)
	}
	return err
}
