// Package apierror puts into words what the Kubernetes API server, and the way to
// it, answer in place of a result: what was refused, why, and what the reader can
// do. It is the one place that does, so that every command says the same of the
// same fault, without the client library's own words.
//
// It reads nothing but the error and the roles in deploy/rbac, and must import
// neither commands nor packages that talk to a cluster.
package apierror

import (
	"errors"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Kind is what went wrong, as a stable code.
type Kind string

// The kinds.
const (
	Unreachable   Kind = "api-unreachable"
	UnknownHost   Kind = "api-unknown-host"
	Untrusted     Kind = "api-tls-untrusted"
	Timeout       Kind = "api-timeout"
	Unauthorized  Kind = "api-unauthorized"
	NoCredentials Kind = "api-no-credentials" // #nosec G101 -- a word
	Forbidden     Kind = "forbidden"
	Throttled     Kind = "api-overloaded"
	Failed        Kind = "api-failed"
	NotKubernetes Kind = "api-not-kubernetes"
	NotFound      Kind = "not-found"
	Refused       Kind = "refused"
)

// Caller is who made the request, as far as the words depend on it. The zero value
// is fine.
type Caller struct {
	// Command is the command as typed, such as "status" or "module build".
	Command string
	// Kubeconfig is the file that the server's address is from, or "".
	Kubeconfig string
	// ServerFlag says that --server named the address, not the kubeconfig.
	ServerFlag bool
}

// Words are an error in words.
type Words struct {
	Kind Kind
	// Why is what happened, without a full stop; Remedy an imperative sentence, or
	// "" if there is nothing general to advise.
	Why, Remedy string
}

// String is both in one line.
func (w Words) String() string {
	if w.Remedy == "" {
		return w.Why
	}
	return strings.TrimSuffix(w.Why, ".") + ". " + w.Remedy
}

// Describe puts err into words; false if it comes neither from an API server nor
// from the way to one.
func Describe(err error, c Caller) (Words, bool) {
	w, _, ok := describe(err, c)
	return w, ok
}

// describe also returns the error in the chain that the words stand for.
func describe(err error, c Caller) (Words, error, bool) {
	var status apierrors.APIStatus
	var way *url.Error
	switch {
	case errors.As(err, &status):
		inner, ok := status.(error)
		if !ok {
			return Words{}, nil, false
		}
		return ofStatus(inner, status, c), inner, true
	case errors.As(err, &way):
		return ofWay(way, c), way, true
	}
	return Words{}, nil, false
}

// worded is an error whose text was replaced.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }

func (w *worded) Unwrap() error { return w.err }

// Reword replaces what the API server, or the client library, says in err by plain
// words, and keeps what stands around it. Any other error is returned as it is.
func Reword(err error, c Caller) error {
	if w := (*worded)(nil); err == nil || errors.As(err, &w) {
		return err
	}
	words, inner, ok := describe(err, c)
	if !ok {
		return err
	}
	before, after, found := strings.Cut(err.Error(), inner.Error())
	if !found {
		return &worded{words.String(), err}
	}
	text := before + words.String()
	if after != "" {
		text = before + strings.TrimSuffix(words.String(), ".") + after
	}
	return &worded{text, err}
}
