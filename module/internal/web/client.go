// Package web fetches files over HTTP for the sources that speak it: retried
// with backoff and jitter, resumed where a body was cut, bounded in size, and
// with credentials that stay with the host they are for. What a path or an
// answer means is the sources' business.
package web

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/certpool"
	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Options are a client's settings; the zero value works.
type Options struct {
	// CAFile is a PEM bundle, trusted besides the system's.
	CAFile string
	// ProxyHTTP, ProxyHTTPS and ProxyNo are as HTTP_PROXY, HTTPS_PROXY and
	// NO_PROXY; all empty takes those from the environment.
	ProxyHTTP, ProxyHTTPS, ProxyNo string
	// ProxyUser and ProxyPassword are the login to these proxies.
	ProxyUser, ProxyPassword string
	UserAgent                string
	Log                      *slog.Logger
	// Backoff is the first wait before a retry; 0 is 250 ms.
	Backoff time.Duration
	// idle is how long a server may stay silent; 0 is 15 s.
	idle time.Duration
	// UnknownHostFinal ends with the first answer of DNS that a name does not exist:
	// for a person who waits. A node that is starting may know the name a little later.
	UnknownHostFinal bool
}

// Client fetches with one set of options. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	userAgent string
	log       *slog.Logger
	backoff   time.Duration
	idle      time.Duration
	// unknownHostFinal is that of Options.
	unknownHostFinal bool
}

// New returns a client. It fails with *fault.Error when the CA bundle or a
// proxy's address cannot be used.
func New(o Options) (*Client, error) {
	roots, err := rootCAs(o.CAFile)
	if err != nil {
		return nil, err
	}
	proxy, err := ProxyFunc(o)
	if err != nil {
		return nil, err
	}
	c := &Client{userAgent: o.UserAgent, log: o.Log, backoff: o.Backoff, idle: o.idle, unknownHostFinal: o.UnknownHostFinal}
	if c.userAgent == "" {
		c.userAgent = "kubeshark-pfring"
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.backoff == 0 {
		c.backoff = 250 * time.Millisecond
	}
	if c.idle == 0 {
		c.idle = 15 * time.Second
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: dialing}
	c.http = &http.Client{
		CheckRedirect: c.checkRedirect,
		Transport: &http.Transport{
			Proxy: proxy, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 30 * time.Second,
			// Digests are those of the stored bytes, so these must come as they are.
			DisableCompression: true,
			// Larger headers come from no repository.
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	return c, nil
}

func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	e := &fault.Error{
		Reason: outcome.SourceTLSUntrusted, What: "read the CA bundle", Where: file,
		Do: "Check tap.kernelModule.source.caBundle: its key must hold certificates in PEM.",
	}
	pem, err := readfile.Regular(file, certpool.MaxBundle)
	if err != nil {
		e.Err = readfile.Cause(err)
		return nil, e
	}
	pool, err := certpool.WithSystem(pem)
	if err != nil {
		e.Err = err
		return nil, e
	}
	return pool, nil
}

// Direct returns the client without its proxy, for what is on this machine.
func (c *Client) Direct() *Client {
	direct, transport := *c, c.http.Transport.(*http.Transport).Clone()
	transport.Proxy = nil
	direct.http = &http.Client{CheckRedirect: direct.checkRedirect, Transport: transport}
	return &direct
}
