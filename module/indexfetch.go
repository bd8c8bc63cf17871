package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Bounds, in bytes, on the index and its signature. The index is not held: an
// index of a hundred thousand modules has about 50 MB.
const (
	maxIndexSize     = 128 << 20
	maxSignatureSize = 16 << 10
)

// maxHeldIndex bounds, in bytes, an index that has to be held, since it is
// signed over itself and not over its hash, as minisign did before 0.10.
const maxHeldIndex = 32 << 20

// clockSkew is by how much the clocks of who makes an index and of who reads it
// may differ without a word.
const clockSkew = time.Hour

// resettle is how long a publication that is under way gets to finish before
// index and signature are read again.
const resettle = 500 * time.Millisecond

// proved is an index and what it has passed.
type proved struct {
	scanned
	// signer is the key that made the signature, in hexadecimal; "" without one.
	signer   string
	warnings []string
}

// readIndex fetches the index and verifies it as asked for. When its signature
// does not fit, or half of it seems to be there, both are fetched once more: a
// publication may have come in between. Together with an error comes what could
// be read anyway; total is 0 when nothing could.
func readIndex(ctx context.Context, s *supply, r Request, keep func(*Entry) bool) (proved, error) {
	p, err := readIndexOnce(ctx, s, r, keep)
	if !unsettled(err) {
		return p, err
	}
	if wait.For(ctx, resettle) != nil {
		return p, err
	}
	again, againErr := readIndexOnce(ctx, s, r, keep)
	if againErr != nil && ctx.Err() != nil {
		return p, err
	}
	return again, againErr
}

func unsettled(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == outcome.SignatureInvalid || (e.Reason == outcome.SourceInvalid && !errors.Is(err, ErrNotFound)))
}

// readIndexOnce fetches the signature first: how it was made tells how the
// index is to be hashed as it comes.
func readIndexOnce(ctx context.Context, s *supply, r Request, keep func(*Entry) bool) (proved, error) {
	signature, signatureErr := fetchSignature(ctx, s, r)
	if signatureErr != nil && !absent(signatureErr) {
		return proved{}, signatureErr
	}
	fetched, err := fetchIndex(ctx, s, signature, keep)
	if err != nil {
		return proved{}, err
	}
	p := proved{scanned: fetched.scanned}
	if r.Verify == outcome.VerifiedSignature {
		if signatureErr != nil {
			return p, signatureErr
		}
		if p.signer, p.warnings, err = verify(r.PublicKeys, signature, fetched.signedBy); err != nil {
			if unsettled(err) && errors.Is(fetched.err, errNoJSON) {
				err = fetched.err // an error page or a login page is not an attack
			}
			return p, err
		}
	}
	if fetched.err != nil {
		return proved{}, fetched.err
	}
	warnings, err := current(&p.Index, p.signer, r)
	p.warnings = append(p.warnings, warnings...)
	return p, err
}

// absent tells whether there may be an index anyway, or a repository of
// the historic layout: that is reported then, and not that there is no signature.
func absent(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == outcome.SourceUnsigned || e.Reason == outcome.SourceForbidden)
}

// fetchSignature fetches the signature of the index if one is asked for.
func fetchSignature(ctx context.Context, s *supply, r Request) ([]byte, error) {
	if keys, _ := parseKeys(r.PublicKeys); r.Verify != outcome.VerifiedSignature || len(keys) == 0 {
		return nil, nil
	}
	signature, err := s.fetch(ctx, SignatureName, maxSignatureSize)
	if errors.Is(err, ErrNotFound) {
		return nil, &Error{
			Reason: outcome.SourceUnsigned, What: "verify " + IndexName, Why: "the repository has no " + SignatureName,
			Do: "Sign the index with `pfring module sign`, or set tap.kernelModule.source.verify to checksum.",
		}
	}
	return signature, err
}

// fetchedIndex is an index as it came. err says why it is none.
type fetchedIndex struct {
	scanned
	err error
	// signedBy tells whether a key made the signature over all that came.
	signedBy func(key minisign.PublicKey, signature []byte) bool
}

// fetchIndex reads the index as it comes, and all of it, for its signature is
// over all of it.
func fetchIndex(ctx context.Context, s *supply, signature []byte, keep func(*Entry) bool) (fetchedIndex, error) {
	consumer := stream.Consume(func(r io.Reader) (f fetchedIndex, err error) {
		switch {
		case len(signature) == 0:
		case signsItself(signature):
			held := &held{r: r}
			f.signedBy, r = held.signedBy, held
		default:
			hashed := minisign.NewReader(r)
			f.signedBy, r = hashed.Verify, hashed
		}
		f.scanned, f.err = scanIndex(r, keep)
		_, err = io.Copy(io.Discard, r)
		return f, err
	})
	err := s.to(ctx, IndexName, maxIndexSize, stream.Sink(consumer))
	f, readErr := consumer.Close(err)
	if err != nil {
		return f, err // which the reader ended with, too
	}
	return f, readErr
}

// signsItself tells whether a signature is over the index and not over its hash.
func signsItself(signature []byte) bool {
	var s minisign.Signature
	return s.UnmarshalText(signature) == nil && s.Algorithm == minisign.EdDSA
}

// held keeps what is read from it.
type held struct {
	r    io.Reader
	data stream.Buffer
}

func (h *held) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if len(h.data.Bytes())+n > maxHeldIndex {
		return n, &Error{
			Reason: outcome.TooLarge, What: "verify " + IndexName, Why: fmt.Sprintf("it has more than %d bytes, and its signature is of the kind that must be verified over all bytes at once", maxHeldIndex),
			Do: "Sign it with `pfring module sign`, or with minisign 0.10 or newer.",
		}
	}
	_, _ = h.data.Write(p[:n]) // a buffer takes all
	return n, err
}

func (h *held) signedBy(key minisign.PublicKey, signature []byte) bool {
	return minisign.Verify(key, h.data.Bytes(), signature)
}

// current checks what the index says of itself against the request: module,
// serial and expiry. What is not verified may be expired, but is reported.
func current(x *Index, signer string, r Request) (warnings []string, err error) {
	if x.Module != r.ModuleName {
		return nil, invalidIndex(fmt.Sprintf("it lists %.100q modules, not %s", x.Module, r.ModuleName))
	}
	rolledBack := func(format string, args ...any) error {
		return &Error{Reason: outcome.IndexRolledBack, What: "verify " + IndexName, Why: fmt.Sprintf(format, args...)}
	}
	if x.Serial < r.MinSerial {
		return nil, rolledBack("its serial is %d, source.minSerial is %d", x.Serial, r.MinSerial)
	}
	if seen := r.Seen[signer]; signer != "" && r.Version == "" && x.Serial < seen.Serial {
		return nil, rolledBack("its serial is %d, and this node has seen %d from the same key", x.Serial, seen.Serial)
	}
	if x.Created.Sub(r.Now()) > clockSkew {
		warnings = append(warnings, fmt.Sprintf("the index was created on %s, which is in the future by this machine's clock: set the clock, by which an index that has expired may seem valid",
			x.Created.UTC().Format(time.RFC3339)))
	}
	if x.Expires.IsZero() {
		return warnings, nil
	}
	end := x.Expires.UTC().Format(time.RFC3339)
	switch left := x.Expires.Sub(r.Now()); {
	case left > ExpiryWarning:
	case left > 0:
		warnings = append(warnings, fmt.Sprintf("the index expires on %s: publish a new one", end))
	case r.Verify == outcome.VerifiedNone:
		warnings = append(warnings, fmt.Sprintf("the index has expired on %s", end))
	default:
		return nil, &Error{Reason: outcome.IndexExpired, What: "verify " + IndexName, Why: fmt.Sprintf("it has expired on %s, and this machine's clock says %s", end, r.Now().UTC().Format(time.RFC3339))}
	}
	return warnings, nil
}
