package image

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubeshark/kubeshark-pfring/internal/certpool"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

// RemoteOptions say how to get at registries.
type RemoteOptions struct {
	// DockerConfig is a file as Docker and Kubernetes' pull secrets have it; ""
	// is the caller's own: $DOCKER_CONFIG or ~/.docker, with its helpers.
	DockerConfig string
	// CredentialsDir is a folder, such as a mounted Secret, with username and
	// password, or token; they go before those of DockerConfig.
	CredentialsDir string
	// ProxyHTTP, ProxyHTTPS, ProxyNo and ProxyCredentialsDir are as in
	// module.SourceOptions.
	ProxyHTTP, ProxyHTTPS, ProxyNo, ProxyCredentialsDir string
	// PlainHTTP speaks to registries without TLS. To those of this machine that
	// is done anyway.
	PlainHTTP bool
	// CAFile is a PEM bundle that is trusted besides the system's.
	CAFile    string
	UserAgent string
	// Idle is how long a registry may stay silent in the middle of a request, and
	// Patience how long it may fail in a row; 0 is the default of each.
	Idle, Patience time.Duration
	// Notify is called with each failure after which it tries again, by several
	// goroutines at a time; it may be nil.
	Notify func(string)
}

// Remote is access to registries.
type Remote struct {
	transport *patient
	options   []remote.Option
	names     []name.Option
	puller    *remote.Puller
	pusher    *remote.Pusher
}

// NewRemote reads the files that o names.
func NewRemote(o RemoteOptions) (*Remote, error) {
	logins, err := o.keychain()
	if err != nil {
		return nil, err
	}
	roots, err := RootCAs(o.CAFile)
	if err != nil {
		return nil, err
	}
	proxy, err := o.proxy()
	if err != nil {
		return nil, err
	}
	r := &Remote{transport: &patient{inner: httpTransport(roots, proxy), idle: o.Idle, patience: o.Patience, notify: o.Notify}}
	if o.Idle == 0 {
		r.transport.idle = DefaultIdle
	}
	if o.Patience == 0 {
		r.transport.patience = DefaultPatience
	}
	r.options = append([]remote.Option{remote.WithAuthFromKeychain(logins), remote.WithTransport(r.transport)}, uploads...)
	if o.UserAgent != "" {
		r.options = append(r.options, remote.WithUserAgent(o.UserAgent))
	}
	if o.PlainHTTP {
		r.names = append(r.names, name.Insecure)
	}
	if r.puller, err = remote.NewPuller(r.options...); err != nil {
		return nil, fmt.Errorf("cannot prepare to pull: %w", err)
	}
	if r.pusher, err = remote.NewPusher(r.options...); err != nil {
		return nil, fmt.Errorf("cannot prepare to push: %w", err)
	}
	return r, nil
}

func (o RemoteOptions) proxy() (func(*http.Request) (*url.URL, error), error) {
	login, err := credentials.Load(o.ProxyCredentialsDir)
	if err != nil {
		return nil, err
	}
	return web.ProxyFunc(web.Options{
		ProxyHTTP: o.ProxyHTTP, ProxyHTTPS: o.ProxyHTTPS, ProxyNo: o.ProxyNo, ProxyUser: login.Username, ProxyPassword: login.Password,
	})
}

// httpTransport speaks HTTP/1.1: by HTTP/2 uploads at once share a window, and
// with a registry that reads them one after the other they wait for each other
// without end.
func httpTransport(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	t.Proxy = proxy
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t.DialContext = dialer.DialContext
	return t
}

// RootCAs are the system's certificate authorities with those of file; nil, for "",
// are the system's alone.
func RootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := readfile.Bounded(file, certpool.MaxBundle)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CA bundle: %w", err)
	}
	pool, err := certpool.WithSystem(pem)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", file, err)
	}
	return pool, nil
}

// Sent is how many bytes have been sent so far.
func (r *Remote) Sent() int64 { return r.transport.sent.Load() }

func (r *Remote) parse(ref string) (name.Reference, error) {
	parsed, err := name.ParseReference(strings.TrimPrefix(ref, "oci://"), r.names...)
	if err != nil {
		return nil, fmt.Errorf("invalid image reference %q: %w", ref, err)
	}
	return parsed, nil
}

func (r *Remote) repository(text string) (name.Repository, error) {
	parsed, err := name.NewRepository(strings.TrimPrefix(text, "oci://"), r.names...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("invalid repository %q: %w", text, err)
	}
	return parsed, nil
}

// ErrFull is in the chain of an error of a registry that has no room.
var ErrFull = errors.New("the registry is full")

// Refusal is a registry's own answer in an error of this package, without the
// advice for somebody at a terminal; "" if it gave none. denied says that it is
// about who asks.
func Refusal(err error) (answer string, denied bool) {
	var e *transport.Error
	if !errors.As(err, &e) {
		return "", false
	}
	return e.Error(), e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
}

// full tells whether a registry has no room. Those that keep files may say so as
// an internal error with the system's number for it.
func full(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
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
	var gaveUp *errGaveUp
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w. Log in with an account that may do this (docker login, or --docker-config FILE)", err)
	case errors.As(err, &answer) && full(answer):
		// Not err: some registries answer with the inner life of their storage.
		return fmt.Errorf("%w (it answered %d); make room there and run it again", ErrFull, answer.StatusCode)
	case errors.As(err, &gaveUp):
		// Without the address, which may have secrets in its query.
		return gaveUp
	case errors.As(err, &authority):
		return fmt.Errorf("%w. Set the registry's CA with --ca-file", err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%w. The registry does not use TLS: if this is intended, set --plain-http", err)
	}
	return err
}
