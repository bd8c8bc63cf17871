package module

import (
	"fmt"
	"strings"

	"aead.dev/minisign"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// VerifyIndex checks that one of the minisign public keys made signature over
// index. A key is the line of base64 or the whole .pub file. It fails with
// *Error: source-unsigned when there is no key, else signature-invalid.
func VerifyIndex(index, signature []byte, publicKeys []string) error {
	keys, bad := parseKeys(publicKeys)
	if len(keys) == 0 {
		e := &Error{
			Reason: outcome.SourceUnsigned, What: "verifying " + IndexName, Why: "no public key is configured",
			Do: "Set tap.kernelModule.source.publicKeys to the repository's minisign key, or source.verify to checksum or none.",
		}
		if bad > 0 {
			e.Why = fmt.Sprintf("none of the %d configured public keys is a minisign public key", bad)
		}
		return e
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return signatureInvalid("the signature is malformed: " + strings.TrimPrefix(err.Error(), "minisign: "))
	}
	var ids []string
	known := false
	for _, key := range keys {
		if minisign.Verify(key, index, signature) {
			return nil
		}
		known = known || key.ID() == s.KeyID
		ids = append(ids, fmt.Sprintf("%016X", key.ID()))
	}
	if known {
		return signatureInvalid(fmt.Sprintf("key %016X made the signature, and not over this index", s.KeyID))
	}
	return signatureInvalid(fmt.Sprintf("key %016X made the signature, configured is %s", s.KeyID, strings.Join(ids, ", ")))
}

// ParsePublicKey reads a minisign public key: the line of base64, or the whole
// .pub file with its comment.
func ParsePublicKey(text string) (minisign.PublicKey, error) {
	var key minisign.PublicKey
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "untrusted comment:") {
			continue
		}
		if err := key.UnmarshalText([]byte(line)); err != nil {
			return key, fmt.Errorf("reading minisign public key %q: %w", line, err)
		}
		return key, nil
	}
	return key, fmt.Errorf("reading minisign public key: it is empty")
}

func parseKeys(texts []string) (keys []minisign.PublicKey, bad int) {
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		key, err := ParsePublicKey(text)
		if err != nil {
			bad++
			continue
		}
		keys = append(keys, key)
	}
	return keys, bad
}

func signatureInvalid(why string) error {
	return &Error{Reason: outcome.SignatureInvalid, What: "verifying " + IndexName, Why: why}
}
