package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/internal/retry"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// statusError is an answer that is not success.
type statusError struct {
	response *http.Response // its body was read and closed
	body     []byte
}

func refusal(r *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	if err != nil {
		body = nil // the status says enough
	}
	return &statusError{response: r, body: masked(body, r.Request)}
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("the server answered %d %s", e.response.StatusCode, http.StatusText(e.response.StatusCode))
	if text := e.text(); text != "" {
		s += ": " + text
	}
	return s
}

// text is what the answer says, if a person can read it: the message in a registry's
// or token service's JSON, else the first line.
func (e *statusError) text() string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(e.body)), "\n")
	if said := message(e.body); said != "" {
		line = said
	}
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line)
	if strings.HasPrefix(line, "<") || len(line) > 200 {
		return ""
	}
	return line
}

// message is the text in an error as registries and token services write it in JSON;
// "" where body has none.
func message(body []byte) string {
	var answer struct {
		Errors []struct{ Code, Message string }
		// ErrorDescription is OAuth 2's (RFC 6749, 5.2); Docker Hub says details.
		ErrorDescription string `json:"error_description"`
		Message, Details string
	}
	// A body with other types under these names is shown as it is.
	if err := json.Unmarshal(body, &answer); err != nil {
		return ""
	}
	if len(answer.Errors) > 0 {
		first := answer.Errors[0]
		return cmp.Or(first.Message, first.Code)
	}
	return cmp.Or(answer.ErrorDescription, answer.Message, answer.Details)
}

// refused lets the source interpret an answer that is not success: it may know better.
func (f *fetching) refused(ctx context.Context, s *statusError) error {
	f.wait, _ = retry.After(s.response.Header, time.Now())
	f.tooMany = tooMany(s.response.StatusCode, s.body)
	if f.Refused != nil {
		again, err := f.Refused(ctx, s.response, s.body)
		if err != nil {
			return err
		}
		if again && !f.fixedOnce {
			f.fixedOnce = true
			return errFixed
		}
	}
	if s.response.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		f.validator = "" // start over
	}
	return s
}

// explain gives err its reason and tells whether another attempt may help.
func (f *fetching) explain(ctx context.Context, err error) (e *fault.Error, retry bool) {
	if errors.As(err, &e) {
		return e, false
	}
	e = &fault.Error{What: f.What, Where: Where(f.URL), Err: err, Why: err.Error()}
	if ctxErr := ctx.Err(); ctxErr != nil {
		e.Reason, e.Err = outcome.SourceTimeout, ctxErr
		e.Why = fmt.Sprintf("timed out after %d bytes", f.got)
		if errors.Is(ctxErr, context.Canceled) {
			e.Why, e.Do = "it was interrupted", "Try again."
		}
		return e, false
	}
	if s := (*statusError)(nil); errors.As(err, &s) {
		return f.explainStatus(e, s.response.StatusCode)
	}
	switch {
	case strings.Contains(err.Error(), "Location header"):
		// The message repeats the header, which may hold a password.
		e.Reason, e.Why = outcome.SourceInvalid, "the server redirects to something that is not a URL"
		return e, false
	case errors.Is(err, errRedirect):
		e.Reason = outcome.SourceInvalid
		return e, false
	case untrusted(err):
		e.Reason = outcome.SourceTLSUntrusted
		e.Why, e.Do = distrust(err), trustRemedy(err)
		return e, false
	case strings.Contains(err.Error(), http.StatusText(http.StatusProxyAuthRequired)):
		e.Reason, e.Do = outcome.SourceForbidden, "Put the proxy's username and password into the Secret that source.proxy.secret names."
		return e, false
	case isStalled(err):
		e.Reason = outcome.SourceTimeout
	case errors.Is(err, errRange):
		e.Reason, e.Do = outcome.SourceInvalid, "Check the server, and proxies and caches between."
	default:
		e.Reason = outcome.SourceUnreachable
		e.Why = plain(err)
		if errors.Is(err, http.ErrSchemeMismatch) {
			e.Do = "Correct the address: the server there speaks http, not https."
			return e, false
		}
		var dns *net.DNSError
		if f.unknownHostFinal && errors.As(err, &dns) && dns.IsNotFound {
			return e, false
		}
	}
	return e, true
}

func (f *fetching) explainStatus(e *fault.Error, code int) (*fault.Error, bool) {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound(e.What, e.Where), false
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		e.Reason = outcome.SourceForbidden
		return e, false
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusRequestedRangeNotSatisfiable:
	default:
		if code < 500 {
			e.Reason = outcome.SourceInvalid
			return e, false
		}
	}
	e.Reason = outcome.SourceUnreachable
	if code < 500 || code == http.StatusServiceUnavailable {
		e.Do = "Wait until the server is less busy, or mirror the modules nearby with `pfring module mirror`."
	} else {
		e.Do = "Check the repository's server, which received the request."
	}
	return e, true
}

func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// masked takes the secrets of a request out of what a server answers: one that
// repeats them must not get them into a log.
func masked(body []byte, r *http.Request) []byte {
	var secrets []string
	if _, password, ok := r.BasicAuth(); ok {
		secrets = append(secrets, password)
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for _, secret := range append(secrets, token, r.Header.Get("X-Amz-Security-Token"), r.URL.RawQuery) {
		if len(secret) > 3 {
			body = bytes.ReplaceAll(body, []byte(secret), []byte("…"))
		}
	}
	return body
}

// distrust says why a certificate is not trusted.
func distrust(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "the server's certificate is for another name than " + host.Host
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return "the server's certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339) + byThisClock()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return "the server's certificate expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339) + byThisClock()
	case errors.As(err, &authority):
		return "the server's certificate is signed by an unknown authority"
	}
	text := err.Error()
	if i := strings.LastIndex(text, "x509: "); i >= 0 {
		text = text[i+len("x509: "):]
	}
	return "the server's certificate is not valid: " + text
}

// byThisClock tells the time by which a certificate is judged, which may be what is
// wrong.
func byThisClock() string {
	return ", and this machine's clock says " + time.Now().UTC().Format(time.RFC3339)
}

// trustRemedy says what to do about a certificate that is not trusted; "" is the
// reason's own: to add the CA.
func trustRemedy(err error) string {
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "Use a name in source.url (or source.endpoint) that the certificate covers, or get a certificate for this name."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
		return "Set this machine's clock, by which the certificate is not yet valid."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "Renew the server's certificate; if it is not expired, set this machine's clock."
	case errors.As(err, &invalid):
		return "Issue the server's certificate again: the CA is known, but did not sign it."
	}
	return ""
}

// plain is err in words that name the cause first.
func plain(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "the name " + dns.Name + " cannot be resolved"
		}
		return "DNS failed for " + dns.Name + ": " + dns.Err
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS on this port"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the server closed the connection"
	case errors.As(err, &op) && op.Op == "dial" && errors.Is(err, os.ErrDeadlineExceeded):
		return "no response: " + err.Error()
	}
	return err.Error()
}
