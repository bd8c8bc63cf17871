package oci

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxPing bounds, in bytes, what a registry answers to a ping.
const maxPing = 64 << 10

// errReached ends a ping whose registry wants credentials.
var errReached = errors.New("the registry answers")

// Ping asks a registry, named as in an image's name, whether it is one and
// answers. That it wants credentials is an answer too. It fails with
// *fault.Error.
func Ping(ctx context.Context, client *web.Client, registry string) error {
	const what = "reach the registry"
	s := &Source{Options: Options{Registry: registry}}
	u, err := url.Parse(s.endpoint() + "/v2/")
	if err != nil || u.Hostname() == "" {
		return &fault.Error{Reason: outcome.SourceInvalid, What: what, Where: registry, Why: "it is not the name of a registry", Do: "Correct the image."}
	}
	_, err = client.Fetch(ctx, web.Request{
		What: what, URL: u, Max: maxPing,
		Refused: func(_ context.Context, r *http.Response, _ []byte) (bool, error) {
			if r.StatusCode == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") != "" {
				// An error of this kind is not tried again.
				return false, &fault.Error{Reason: outcome.SourceForbidden, What: what, Err: errReached}
			}
			return false, nil
		},
	})
	if e := (*fault.Error)(nil); errors.As(err, &e) && !errors.Is(err, errReached) {
		return pingFault(e)
	}
	return nil
}

// pingFault words the client's remedies for a registry, whose settings are not
// those of a module repository.
func pingFault(e *fault.Error) error {
	if errors.Is(e, fault.ErrNotFound) {
		e.Why = "the server is not a registry: it has no /v2/"
	}
	switch e.Reason {
	case outcome.SourceTLSUntrusted:
		e.Do = "Add the CA that signed the registry's certificate to the nodes' container runtime; registryTLS applies only to KMM."
	case outcome.SourceUnreachable, outcome.SourceTimeout:
		e.Do = "Allow traffic from the nodes to the registry (DNS, egress rules, proxy), or use images of a registry that they can reach."
	default:
		e.Do = "Check the registry's name in the images."
	}
	return e
}
