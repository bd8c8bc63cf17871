package module

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/oci"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

// PingRegistry tells whether an image registry, named as in an image's name,
// answers from here, with the CA, proxy and user agent of o. That it wants
// credentials is an answer too. It fails with *Error.
func PingRegistry(ctx context.Context, o SourceOptions, registry string) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	return oci.Ping(ctx, client, registry)
}

var errNoURL = errors.New("invalid URL")

// Reach asks the server of a URL for the head of the file there, by the proxy
// settings of o. Of a URL that ends in a slash no file has to be there: any answer
// of the server will do. It fails with *Error.
func Reach(ctx context.Context, o SourceOptions, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errNoURL
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	answered := false
	_, err = client.Fetch(ctx, web.Request{
		What: "reach " + u.Host, Method: http.MethodHead, URL: u,
		Refused: func(_ context.Context, r *http.Response, _ []byte) (bool, error) {
			answered = r.StatusCode < 500 && r.StatusCode != http.StatusProxyAuthRequired
			return false, nil
		},
	})
	if answered && strings.HasSuffix(u.Path, "/") {
		return nil
	}
	return err
}
