package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// index fetches the index and verifies it as asked for. When its signature
// does not fit, or half of it seems to be there, both are fetched once more: a
// publication may have come in between.
func (g *getting) index(ctx context.Context) (*Index, error) {
	index, err := g.indexOnce(ctx)
	if !unsettled(err) {
		return index, err
	}
	select {
	case <-ctx.Done():
		return nil, err
	case <-time.After(resettle):
	}
	again, againErr := g.indexOnce(ctx)
	if againErr != nil && ctx.Err() != nil {
		return nil, err
	}
	return again, againErr
}

func unsettled(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == outcome.SignatureInvalid || (e.Reason == outcome.SourceInvalid && !errors.Is(err, ErrNotFound)))
}

func (g *getting) indexOnce(ctx context.Context) (*Index, error) {
	data, err := g.fetch(ctx, IndexName, maxIndexSize)
	if err != nil {
		return nil, err
	}
	g.raw = data
	if g.Verify == outcome.VerifiedSignature {
		if err := g.signature(ctx, data); err != nil {
			if unsettled(err) && !json.Valid(data) {
				// An error page or a login page is no attack.
				_, err = ParseIndex(data)
			}
			return nil, err
		}
	}
	index, err := ParseIndex(data)
	if err != nil {
		return nil, err
	}
	g.out.IndexExpires = index.Expires
	return index, g.current(index)
}

func (g *getting) signature(ctx context.Context, index []byte) error {
	if keys, bad := parseKeys(g.PublicKeys); len(keys) == 0 {
		return VerifyIndex(index, nil, g.PublicKeys)
	} else if bad > 0 && len(g.out.Warnings) == 0 {
		g.warn("%d of the configured public keys are no minisign public keys", bad)
	}
	signature, err := g.fetch(ctx, SignatureName, maxSignatureSize)
	if errors.Is(err, ErrNotFound) {
		return &Error{
			Reason: outcome.SourceUnsigned, What: "verifying " + IndexName, Why: "the repository has no " + SignatureName,
			Do: "Sign the index with `pfring module sign`, or set tap.kernelModule.source.verify to checksum.",
		}
	}
	if err != nil {
		return err
	}
	return VerifyIndex(index, signature, g.PublicKeys)
}

// current checks what the index says of itself against the request: module,
// serial and expiry. What is not verified may be expired, but is told.
func (g *getting) current(x *Index) error {
	if x.Module != g.ModuleName {
		return invalidIndex(fmt.Sprintf("it lists modules of %q, not of %s", x.Module, g.ModuleName))
	}
	if x.Serial < g.MinSerial {
		return &Error{
			Reason: outcome.IndexRolledBack, What: "verifying " + IndexName,
			Why: fmt.Sprintf("its serial is %d, source.minSerial is %d", x.Serial, g.MinSerial),
		}
	}
	if x.Expires.IsZero() {
		return nil
	}
	end := x.Expires.UTC().Format(time.RFC3339)
	switch left := x.Expires.Sub(g.Now()); {
	case left > ExpiryWarning:
	case left > 0:
		g.warn("the index expires on %s: publish a fresh one", end)
	case g.Verify == outcome.VerifiedNone:
		g.warn("the index has expired on %s", end)
	default:
		return &Error{Reason: outcome.IndexExpired, What: "verifying " + IndexName, Why: "it has expired on " + end}
	}
	return nil
}
