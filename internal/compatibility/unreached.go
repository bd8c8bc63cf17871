package compatibility

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// proxyError is a proxy that does not let a connection through.
type proxyError struct{ proxy, status string }

func (e *proxyError) Error() string { return fmt.Sprintf("the proxy %s says %s", e.proxy, e.status) }

// proxyAnswer keeps apart what a proxy says and what a registry says.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, answer.Status}
}

// detail is the cause of an error in the words of the system, in parentheses; none
// where it adds nothing to what is said of it.
func detail(err error) string {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		return ""
	}
	return fmt.Sprintf(" (%v)", withoutCall(err))
}

// withoutCall is err without the request that it happened in.
func withoutCall(err error) error {
	if call := (*url.Error)(nil); errors.As(err, &call) {
		return call.Err
	}
	return err
}

// unreached says why a registry could not be asked, and what to do; no reason
// where it is none of the usual.
func unreached(err error) (reason, why, remedy string) {
	var (
		proxy     *proxyError
		op        *net.OpError
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		unproven  *tls.CertificateVerificationError
		slow      net.Error
	)
	switch {
	case errors.As(err, &proxy), errors.As(err, &op) && op.Op == "proxyconnect":
		return ReasonProxyRefused, "the proxy refuses the connection", "Allow the registry in the proxy, or name it in NO_PROXY."
	case errors.As(err, &dns):
		return ReasonRegistryUnknown, "its name cannot be resolved from here", "Correct the registry's name in the mapping, or the DNS."
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &unproven):
		return ReasonRegistryUntrusted, "its certificate is not trusted",
			"Give the registry's CA with --ca-file; nodes need it in their container runtime, KMM in registryTLS or its own CAs."
	case errors.Is(err, http.ErrSchemeMismatch):
		return ReasonRegistryUntrusted, "it does not use TLS", "If this is intended, set the mapping's registryTLS.insecure, and allow it in the nodes' container runtimes too."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return ReasonRegistryTimeout, "it did not answer in time", "Check the network path to the registry: firewall, proxy, routes."
	}
	return "", "", ""
}
