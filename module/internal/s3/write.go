package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// sumHeader keeps an object's sha256 with it: ETag is none for all servers.
const sumHeader = "X-Amz-Meta-Sha256"

// maxReply bounds what a server may answer to a write, in bytes.
const maxReply = 64 << 10

// Put stores data at path. The server holds it against the digest that is
// signed with the request.
func (s *Source) Put(ctx context.Context, path string, data []byte) error {
	sum := sha256.Sum256(data)
	text := hex.EncodeToString(sum[:])
	_, err := s.write(ctx, http.MethodPut, "storing "+path, path, data, http.Header{sumHeader: {text}, payloadHeader: {text}})
	return err
}

// Version identifies the content of the object at path; "" is for none.
func (s *Source) Version(ctx context.Context, path string) (string, error) {
	head, err := s.write(ctx, http.MethodHead, "check for "+path, path, nil, http.Header{})
	if errors.Is(err, fault.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return head.Header.Get("ETag"), nil
}

// ErrChanged is in the chain of an error of PutOver when the object is another
// one by now.
var ErrChanged = errors.New("another writer changed it in the meantime")

// errUnconditional is in the chain where the server does not support conditional writes.
var errUnconditional = errors.New("the server does not support conditional writes")

// PutOver is Put over the object with this version of it, or over none if it is
// "". A server that knows no conditions for writing stores it anyway.
func (s *Source) PutOver(ctx context.Context, path, version string, data []byte) error {
	sum := sha256.Sum256(data)
	text := hex.EncodeToString(sum[:])
	header := http.Header{sumHeader: {text}, payloadHeader: {text}}
	if version == "" {
		header.Set("If-None-Match", "*")
	} else {
		header.Set("If-Match", version)
	}
	_, err := s.write(ctx, http.MethodPut, "storing "+path, path, data, header)
	switch {
	case errors.Is(err, errUnconditional):
		return s.Put(ctx, path, data)
	case errors.Is(err, ErrChanged):
		// It may have been this very call, of which the answer was lost.
		if ours, e := s.Holds(ctx, path, text, int64(len(data))); e == nil && ours {
			return nil
		}
	}
	return err
}

// conditional explains the answers that only a condition has.
func conditional(what string, where string, status int, header http.Header) error {
	if header.Get("If-Match") == "" && header.Get("If-None-Match") == "" {
		return nil
	}
	switch status {
	case http.StatusPreconditionFailed, http.StatusConflict:
		return &fault.Error{
			Reason: outcome.SourceInvalid, What: what, Where: where, Why: ErrChanged.Error(), Err: ErrChanged, Do: "Run it again.",
		}
	case http.StatusNotImplemented:
		// As a fault, since trying again would give the same answer.
		return &fault.Error{Reason: outcome.SourceInvalid, What: what, Where: where, Why: errUnconditional.Error(), Err: errUnconditional}
	}
	return nil
}

// Remove deletes what is at path, if anything.
func (s *Source) Remove(ctx context.Context, path string) error {
	_, err := s.write(ctx, http.MethodDelete, "deleting "+path, path, nil, http.Header{})
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	return err
}

// Holds tells whether the object at path has a digest, as Put has noted it or
// else by reading it. Where one may not look, the answer is no.
func (s *Source) Holds(ctx context.Context, path, sum string, size int64) (bool, error) {
	head, err := s.write(ctx, http.MethodHead, "check for "+path, path, nil, http.Header{})
	var e *fault.Error
	switch {
	case errors.Is(err, fault.ErrNotFound), errors.As(err, &e) && e.Reason == outcome.SourceForbidden:
		return false, nil
	case err != nil:
		return false, err
	}
	if noted := head.Header.Get(sumHeader); noted != "" {
		return noted == sum, nil
	}
	data, err := s.Fetch(ctx, path, size)
	if errors.As(err, &e) && e.Reason == outcome.TooLarge {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	actual := sha256.Sum256(data)
	return hex.EncodeToString(actual[:]) == strings.ToLower(sum), nil
}

func (s *Source) write(ctx context.Context, method, what, path string, body []byte, header http.Header) (*web.Response, error) {
	u := s.object(path)
	return s.Client.Fetch(ctx, web.Request{
		What: what, Method: method, URL: u, Body: body, Header: header, Max: maxReply, Sign: s.sign,
		Refused: func(_ context.Context, r *http.Response, reply []byte) (bool, error) {
			if err := conditional(what, s.String()+"/"+path, r.StatusCode, header); err != nil {
				return false, err
			}
			again, err := s.refused(what, r, reply)
			if again {
				*u = *s.object(path)
			}
			return again, err
		},
	})
}
