package apierror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// ofWay words an error from the way to the API server.
func ofWay(e *url.Error, c Caller) Words {
	server := "the API server"
	if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
		server += " at " + u.Scheme + "://" + u.Host
	}
	if busy := (*OverloadedError)(nil); errors.As(e.Err, &busy) {
		return Words{Throttled, server + " is overloaded and asks to wait " + busy.Wait.String(), "Try again later."}
	}
	if registry := (interface{ Registry() string })(nil); errors.As(e.Err, &registry) {
		return ofRegistry(e.Err, registry.Registry())
	}
	if other := (*RedirectedError)(nil); errors.As(e.Err, &other) {
		return Words{NotKubernetes, server + " sends the client on to " + oneLine(other.To) + ", as a login page or a proxy does",
			"Check " + c.address() + ", and log in to the VPN or proxy."}
	}
	if page := (*WebPageError)(nil); errors.As(e.Err, &page) {
		return ofPage(page, server, c)
	}
	if login := (*ExpiredError)(nil); errors.As(e.Err, &login) {
		return Words{Unauthorized, server + " does not accept your login: the " + login.What + " in the kubeconfig" + named(c.Kubeconfig) + " expired on " + day(login.At),
			"Log in again, or get a new kubeconfig from the cluster's administrator. Check the clock of this machine if that date has not passed."}
	}
	if proxy := (*ProxyError)(nil); errors.As(e.Err, &proxy) {
		return Words{Unreachable, "cannot reach " + server + ": the proxy " + oneLine(proxy.Proxy) + " refuses the connection: " + oneLine(proxy.Said),
			"Check HTTPS_PROXY, which also holds the proxy's login (http://USER:PASSWORD@HOST:PORT), or name the server in NO_PROXY."}
	}
	w := wayTo(e.Err, c)
	w.Why = "cannot reach " + server + ": " + w.Why
	return w
}

// ofRegistry words an error from the way to an image registry, which commands that
// know clusters ask too.
func ofRegistry(err error, host string) Words {
	w := wayTo(err, Caller{})
	w.Why = "cannot reach the registry " + oneLine(host) + ": " + w.Why
	switch w.Kind {
	case UnknownHost:
		w.Remedy = "Check the registry's name, and this machine's DNS and VPN."
	case Untrusted:
		w.Remedy = "Name the CA that signed its certificate with --ca-file."
	default:
		w.Remedy = "Check this machine's network and proxy."
	}
	return w
}

func wayTo(err error, c Caller) Words {
	address := "Check that the cluster is running, and " + c.address() + "."
	var (
		dns     *net.DNSError
		record  tls.RecordHeaderError
		network net.Error
		op      *net.OpError
	)
	if w, is := certificate(err, c); is {
		return w
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Words{Unreachable, "interrupted", ""}
	case strings.Contains(err.Error(), credentials):
		return plugin(afterLast(err.Error(), credentials), c)
	case errors.As(err, &op) && op.Op == "proxyconnect" && errors.As(err, &dns):
		return Words{Unreachable, "the name of the proxy, " + oneLine(dns.Name) + ", cannot be resolved", proxied}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return Words{Unreachable, "the proxy does not answer: " + cause(op.Err), proxied}
	case errors.As(err, &dns) && (dns.IsNotFound || !dns.IsTimeout):
		return Words{UnknownHost, "the name " + oneLine(dns.Name) + " cannot be resolved", "Check the network, the VPN and the DNS, and " + c.address() + "."}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return Words{Timeout, "no response in time", "Check the network and the VPN, or allow more time with --request-timeout."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Words{Unreachable, "connection refused", address}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return Words{NotKubernetes, "the server does not speak TLS on this port", address}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return Words{Unreachable, "the server closed the connection", "Try again. " + address}
	}
	return Words{Unreachable, cause(err), address}
}

// proxied is what to do about a proxy.
const proxied = "Check HTTPS_PROXY, or name the server in NO_PROXY."

// ofPage words a page for a browser. What stands before a server answers so where the
// server is down.
func ofPage(e *WebPageError, server string, c Caller) Words {
	status := fmt.Sprintf(" (%d %s)", e.Status, http.StatusText(e.Status))
	switch {
	case e.Status == http.StatusOK:
		status = ""
	case e.Status >= http.StatusInternalServerError:
		return Words{Unreachable, "a proxy or load balancer answers in place of " + server + status, "Check that the cluster is running, and " + c.address() + "."}
	}
	return Words{NotKubernetes, server + " answers with a web page" + status + ", as a login page or a proxy does", "Check " + c.address() + ", and log in to the network, VPN or proxy."}
}

// credentials is where the client library says what its credential plugin did.
const credentials = "getting credentials: " // #nosec G101 -- a word

// plugin words the failure of a credential plugin, of which the client library gives
// a text alone.
func plugin(said string, c Caller) Words {
	name, hint, missing := strings.Cut(strings.TrimPrefix(said, "exec: executable "), " not found")
	switch {
	case missing && strings.HasPrefix(said, "exec: "):
		// What follows is advice to the plugin's user in general, and then the
		// kubeconfig's own.
		_, hint, _ = strings.Cut(hint, "#client-go-credential-plugins")
		w := Words{NoCredentials, "the kubeconfig's credential plugin " + oneLine(name) + " is not installed, or not in $PATH", "Install it."}
		if hint = oneLine(strings.TrimSpace(hint)); hint != "" {
			w.Remedy += " The kubeconfig says: " + hint
		}
		return w
	case strings.HasPrefix(said, "exec: "):
		return Words{NoCredentials, "the kubeconfig's credential plugin failed: " + oneLine(strings.TrimPrefix(said, "exec: ")), "Run the plugin by hand and log in again."}
	case strings.HasPrefix(said, "decoding stdout: "), strings.Contains(said, "plugin"):
		return Words{NoCredentials, "the kubeconfig's credential plugin printed no credentials that Kubernetes knows",
			"Run the plugin by hand, and compare what it prints with the apiVersion in the kubeconfig" + named(c.Kubeconfig) + "."}
	}
	return Words{NoCredentials, "cannot get credentials: " + oneLine(said), "Check the user's entry in the kubeconfig" + named(c.Kubeconfig) + "."}
}

// certificate words a server's certificate that is not trusted.
func certificate(err error, c Caller) (Words, bool) {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		unproven  *tls.CertificateVerificationError
		alert     tls.AlertError
	)
	renew := "Get a kubeconfig with the cluster's current certificate authority" + inKubeconfig(c.Kubeconfig) + "."
	switch {
	case errors.As(err, &host):
		return Words{Untrusted, "its certificate is for another name than " + oneLine(host.Host),
			"Use the name or address that the certificate is for" + inKubeconfig(c.Kubeconfig) + ", or set tls-server-name there."}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return Words{Untrusted, "its certificate is not valid before " + day(invalid.Cert.NotBefore), "Check the clock of this machine."}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return Words{Untrusted, "its certificate expired on " + day(invalid.Cert.NotAfter), "Renew the API server's certificate, and check the clock of this machine."}, true
	case errors.As(err, &authority):
		return Words{Untrusted, "its certificate is signed by an unknown authority", renew}, true
	case errors.As(err, &invalid), errors.As(err, &unproven):
		return Words{Untrusted, "its certificate is not valid: " + cause(err), renew}, true
	case errors.As(err, &alert):
		return Words{Unauthorized, "the server refuses this client's certificate: " + oneLine(alert.Error()), "Log in again, or get a new client certificate."}, true
	}
	return Words{}, false
}

// address is where the server's address is from.
func (c Caller) address() string {
	switch {
	case c.ServerFlag:
		return "the server's address in --server"
	case c.Kubeconfig == "":
		return "the server's address in the kubeconfig or in --server"
	}
	return "the server's address in the kubeconfig " + c.Kubeconfig
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func named(kubeconfig string) string {
	if kubeconfig == "" {
		return ""
	}
	return " " + kubeconfig
}

func inKubeconfig(kubeconfig string) string {
	if kubeconfig == "" {
		return ""
	}
	return " in " + kubeconfig
}

// cause is the innermost reason of a network error, which names no call of ours.
func cause(err error) string {
	var op *net.OpError
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &op) && op.Err != nil:
		return oneLine(op.Err.Error())
	}
	return oneLine(strings.TrimPrefix(err.Error(), "tls: "))
}

func afterLast(text, sep string) string {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[i+len(sep):]
	}
	return text
}

// Kubeconfig words an error of reading the client configuration: explicit is the
// file that a flag names, env the value of $KUBECONFIG, and context the one that
// was asked for.
func Kubeconfig(err error, explicit, env, context string) error {
	text := oneLine(err.Error())
	var where string
	switch {
	case explicit != "":
		where = explicit
	case env != "":
		where = env + " ($KUBECONFIG)"
	default:
		where = "~/.kube/config"
	}
	switch {
	case strings.Contains(text, "no such file or directory"), strings.Contains(text, "no configuration has been provided"):
		return &worded{fmt.Sprintf("kubeconfig %s not found or empty. Name another with --kubeconfig or $KUBECONFIG.", where), err}
	case strings.HasPrefix(text, "auth info ") && strings.HasSuffix(text, " does not exist"):
		return &worded{fmt.Sprintf("kubeconfig %s has no user %s. Run 'kubectl config get-users'.", where, inner(text)), err}
	case strings.HasPrefix(text, "cluster ") && strings.HasSuffix(text, " does not exist"):
		return &worded{fmt.Sprintf("kubeconfig %s has no cluster %s. Run 'kubectl config get-clusters'.", where, inner(text)), err}
	case strings.Contains(text, unknownContext):
		_, name, _ := strings.Cut(text, unknownContext)
		name, _, _ = strings.Cut(strings.TrimRight(name, "]"), ", ")
		if context == "" {
			return &worded{fmt.Sprintf("kubeconfig %s has no context %q, which is its current-context. Run 'kubectl config get-contexts'.", where, name), err}
		}
		return &worded{fmt.Sprintf("kubeconfig %s has no context %q. Run 'kubectl config get-contexts'.", where, name), err}
	case strings.Contains(text, "does not exist") && context != "":
		return &worded{fmt.Sprintf("kubeconfig %s has no context %q. Run 'kubectl config get-contexts'.", where, context), err}
	}
	return &worded{fmt.Sprintf("cannot read kubeconfig %s: %s.", where, strings.TrimSuffix(parsing(text), ".")), err}
}

// unknownContext is where the client library names a context that is not there.
const unknownContext = "context was not found for specified context: "

// parsing says what is wrong in a file without Go's names of it.
func parsing(text string) string {
	if _, rest, found := strings.Cut(text, "error loading config file "); found {
		_, text, _ = strings.Cut(rest, ": ")
	}
	m := wrongType().FindStringSubmatch(text)
	if m == nil {
		return strings.TrimPrefix(text, "yaml: ")
	}
	want := map[string]string{"string": "a string", "bool": "true or false", "int": "a number"}[m[3]]
	if want == "" {
		want = "a map or a list"
	}
	return fmt.Sprintf("invalid %s: must be %s, not a value of type %s", m[2], want, m[1])
}

var wrongType = lazyregexp.New(`json: cannot unmarshal (\w+) into Go (?:struct field \w+\.([\w.\[\]-]+)|value) of type (\S+)`)

// inner is the quoted name in the client library's text.
func inner(text string) string {
	if i, j := strings.Index(text, `"`), strings.LastIndex(text, `"`); i < j {
		return text[i : j+1]
	}
	return text
}

// OverloadedError means that the API server asks to come again later than the
// caller is willing to wait.
type OverloadedError struct {
	// Wait is how long it asks to wait.
	Wait time.Duration
}

func (e *OverloadedError) Error() string {
	return fmt.Sprintf("the API server is overloaded and asks to wait %s", e.Wait)
}

// RedirectedError means that the server sends the client elsewhere. An API server does
// not, and the client's token is not for anybody else.
type RedirectedError struct {
	// To is where it sends the client, without path and query.
	To string
}

func (e *RedirectedError) Error() string { return "the server sends the client on to " + e.To }

// WebPageError means that what should be the API server answers with HTML.
type WebPageError struct {
	// Status is the answer's, as in HTTP.
	Status int
}

func (e *WebPageError) Error() string {
	return fmt.Sprintf("the server answers with a web page (%d)", e.Status)
}

// ExpiredError means that the API server refuses a login whose time is over.
type ExpiredError struct {
	// What is the login: a client certificate or a token.
	What string
	// At is when it expired.
	At time.Time
}

func (e *ExpiredError) Error() string { return "the " + e.What + " expired on " + day(e.At) }

// ProxyError means that a proxy does not let a connection through.
type ProxyError struct {
	// Proxy is its host and port, Said what it answers.
	Proxy, Said string
}

func (e *ProxyError) Error() string { return "the proxy " + e.Proxy + " says " + e.Said }
