package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// maxRedirects is more than any CDN or registry needs.
const maxRedirects = 5

// errRedirect is in the chain of an error about a redirect, which no retry
// fixes.
var errRedirect = errors.New("redirect refused")

// checkRedirect follows a few redirects, never from TLS to plain HTTP, and
// leaves the credentials behind when the host or port changes: net/http keeps
// them for subdomains and other ports.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d, the last to %s", errRedirect, maxRedirects, Where(r.URL))
	case r.URL.Scheme != "https" && r.URL.Scheme != "http":
		return fmt.Errorf("%w: to scheme %q", errRedirect, r.URL.Scheme)
	case last.URL.Scheme == "https" && r.URL.Scheme == "http":
		return fmt.Errorf("%w: from https to plain %s", errRedirect, Where(r.URL))
	}
	if r.URL.Host != via[0].URL.Host {
		if err := c.guard(r); err != nil {
			return err
		}
	}
	if origin := via[0].URL; r.URL.Host != origin.Host || r.URL.Scheme != origin.Scheme {
		for _, name := range []string{"Authorization", "Cookie", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256"} {
			r.Header.Del(name)
		}
	}
	// The address before may hold a signature in its query.
	r.Header.Del("Referer")
	return nil
}

// guarded marks the context of a request to an address that a server gave.
type guarded struct{}

// guard keeps r from where clouds tell machines their secrets: an address that a
// server gave must not make a node ask there. A name is looked at when it has
// become an address, unless a proxy resolves it.
func (c *Client) guard(r *http.Request) error {
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && metadata(ip) {
		return errMetadata(ip)
	}
	if proxy := c.http.Transport.(*http.Transport).Proxy; proxy != nil {
		if through, err := proxy(r); err != nil || through != nil {
			return err
		}
	}
	*r = *r.WithContext(context.WithValue(r.Context(), guarded{}, true))
	return nil
}

// dialing is called with each address before it is connected to.
func dialing(ctx context.Context, _, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err == nil && ctx.Value(guarded{}) != nil && metadata(at.Addr()) {
		return errMetadata(at.Addr())
	}
	return nil
}

func errMetadata(ip netip.Addr) error {
	return fmt.Errorf("%w: to %s, where clouds tell machines their credentials", errRedirect, ip)
}

// metadata tells whether a cloud's metadata service may be at ip: link-local in
// most, and the addresses of Azure, Alibaba Cloud, and AWS and Google by IPv6.
func metadata(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	switch ip.String() {
	case "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254":
		return true
	}
	return ip.IsLinkLocalUnicast()
}

// Where is an address without what may be secret: user, query and fragment.
func Where(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
