package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// file fetches the file of an entry and compares it with what the entry says.
func (g *getting) file(ctx context.Context, e Entry) ([]byte, error) {
	if e.Size > g.MaxSize {
		return nil, &Error{
			Reason: outcome.TooLarge, What: "fetching " + e.Path, Why: fmt.Sprintf("the index gives it %d bytes, the limit is %d", e.Size, g.MaxSize),
		}
	}
	data, err := g.entryBytes(ctx, e)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	g.out.SHA256 = hex.EncodeToString(sum[:])
	var why string
	switch {
	case int64(len(data)) != e.Size:
		why = fmt.Sprintf("it has %d bytes, the index says %d", len(data), e.Size)
	case g.out.SHA256 != e.SHA256:
		why = fmt.Sprintf("its sha256 is %s, the index says %s", g.out.SHA256, e.SHA256)
	default:
		return data, nil
	}
	if g.Verify == outcome.VerifiedNone {
		g.warn("%s: %s; taken all the same, since source.verify is none", e.Path, why)
		return data, nil
	}
	return nil, &Error{Reason: outcome.DigestMismatch, What: "verifying " + e.Path, Why: why}
}

func (g *getting) entryBytes(ctx context.Context, e Entry) ([]byte, error) {
	limit := e.Size
	if g.Verify == outcome.VerifiedNone {
		limit = g.MaxSize
	}
	var data []byte
	var err error
	if blobs, ok := g.source.(blobSource); ok {
		data, err = blobs.FetchBlob(ctx, e.SHA256, limit)
		g.out.FetchedBytes += int64(len(data))
	} else {
		data, err = g.fetch(ctx, e.Path, limit)
	}
	if errors.Is(err, ErrNotFound) {
		return nil, noModule(fmt.Sprintf("the index lists %s, and it is not there", e.Path),
			"Upload it, or make the index again with `pfring module index`.")
	}
	return data, err
}

func mismatch(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == outcome.DigestMismatch
}
