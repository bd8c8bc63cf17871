package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// proxies choose a proxy as HTTP_PROXY, HTTPS_PROXY and NO_PROXY do. The
// library for it (golang.org/x/net/http/httpproxy) brings tables of Unicode that
// would be a twentieth of the agent; a test holds both to the same answers.
type proxies struct {
	http, https *url.URL
	exempt      []exemption
}

// exemption is one entry of NO_PROXY.
type exemption struct {
	all    bool
	prefix netip.Prefix
	// host is a domain: all names below it, and with itself that name too.
	host   string
	itself bool
	port   string // "" is any
}

// ProxyFunc chooses a proxy for each request as o says, which is what a client of
// New does. It fails with *fault.Error.
func ProxyFunc(o Options) (func(*http.Request) (*url.URL, error), error) {
	if o.ProxyHTTP == "" && o.ProxyHTTPS == "" && o.ProxyNo == "" {
		return http.ProxyFromEnvironment, nil
	}
	p := proxies{exempt: exemptions(o.ProxyNo)}
	for key, setting := range map[string]struct {
		text string
		to   **url.URL
	}{"http": {o.ProxyHTTP, &p.http}, "https": {o.ProxyHTTPS, &p.https}} {
		if setting.text == "" {
			continue
		}
		u, err := url.Parse(setting.text)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5") {
			return nil, &fault.Error{
				Reason: outcome.SourceUnreachable, What: "set up the proxy", Why: "source.proxy." + key + " is not a proxy's URL",
				Do: fmt.Sprintf("Write tap.kernelModule.source.proxy.%s as http://host:port.", key),
			}
		}
		if o.ProxyUser != "" {
			u.User = url.UserPassword(o.ProxyUser, o.ProxyPassword)
		}
		*setting.to = u
	}
	return func(r *http.Request) (*url.URL, error) { return p.find(r.URL), nil }, nil
}

// find is the proxy for a URL; nil is none.
func (p proxies) find(u *url.URL) *url.URL {
	proxy := p.http
	if u.Scheme == "https" {
		proxy = p.https
	}
	if proxy == nil || p.reachedDirectly(u) {
		return nil
	}
	return proxy
}

func (p proxies) reachedDirectly(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	ip, err := netip.ParseAddr(host)
	isIP := err == nil
	if host == "localhost" || (isIP && ip.IsLoopback()) {
		return true
	}
	for _, e := range p.exempt {
		switch {
		case e.all:
			return true
		case e.port != "" && e.port != port:
		case isIP && e.prefix.IsValid() && e.prefix.Contains(ip.Unmap()):
			return true
		case !isIP && e.host != "" && (strings.HasSuffix(host, "."+e.host) || (e.itself && host == e.host)):
			return true
		}
	}
	return false
}

// exemptions reads NO_PROXY: hosts (and what is below them), .domains, addresses
// and networks, each with or without a port, and * for everything.
func exemptions(text string) []exemption {
	var out []exemption
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		if entry == "*" {
			return []exemption{{all: true}}
		}
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			out = append(out, exemption{prefix: prefix.Masked()})
			continue
		}
		host, port, err := net.SplitHostPort(entry)
		if err != nil {
			host, port = entry, ""
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			ip = ip.Unmap()
			out = append(out, exemption{prefix: netip.PrefixFrom(ip, ip.BitLen()), port: port})
			continue
		}
		domain := strings.TrimPrefix(host, "*")
		out = append(out, exemption{host: strings.TrimPrefix(domain, "."), itself: !strings.HasPrefix(domain, "."), port: port})
	}
	return out
}
