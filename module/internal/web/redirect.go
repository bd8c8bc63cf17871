package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// maxRedirects is more than any CDN or registry needs.
const maxRedirects = 5

// errRedirect is in the chain of an error about a redirect, which no retry
// fixes.
var errRedirect = errors.New("redirect refused")

// checkRedirect follows a few redirects, never from TLS to plain HTTP, and
// leaves the credentials behind when the host or port changes: net/http keeps
// them for subdomains and other ports.
func checkRedirect(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d, the last to %s", errRedirect, maxRedirects, Where(r.URL))
	case r.URL.Scheme != "https" && r.URL.Scheme != "http":
		return fmt.Errorf("%w: to scheme %q", errRedirect, r.URL.Scheme)
	case last.URL.Scheme == "https" && r.URL.Scheme == "http":
		return fmt.Errorf("%w: from https to plain %s", errRedirect, Where(r.URL))
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

// Where is an address without what may be secret: user, query and fragment.
func Where(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
