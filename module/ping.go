package module

import (
	"context"

	"github.com/kubeshark/kubeshark-pfring/module/internal/oci"
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
