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
	_, _, err := verify(publicKeys, signature, func(key minisign.PublicKey, signature []byte) bool {
		return minisign.Verify(key, index, signature)
	})
	return err
}

// verify finds the key that made signature over what signedBy knows. signer is
// that key's identifier in hexadecimal.
func verify(publicKeys []string, signature []byte, signedBy func(minisign.PublicKey, []byte) bool) (signer string, warnings []string, err error) {
	keys, bad := parseKeys(publicKeys)
	if len(keys) == 0 {
		return "", nil, noKey(bad)
	}
	if bad > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of the configured public keys are invalid: must be minisign public keys", bad))
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return "", warnings, signatureInvalid("the signature is malformed: " + strings.TrimPrefix(err.Error(), "minisign: "))
	}
	var ids []string
	known := false
	for _, key := range keys {
		if signedBy(key, signature) {
			return keyID(key.ID()), warnings, nil
		}
		known = known || key.ID() == s.KeyID
		ids = append(ids, keyID(key.ID()))
	}
	if known {
		return "", warnings, signatureInvalid(fmt.Sprintf("the signature by key %s does not match this index", keyID(s.KeyID)))
	}
	return "", warnings, signatureInvalid(fmt.Sprintf("it is signed by key %s, and the configured key is %s", keyID(s.KeyID), strings.Join(ids, ", ")))
}

// keyID is a key's identifier as minisign prints it.
func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

func noKey(bad int) error {
	e := &Error{
		Reason: outcome.SourceUnsigned, What: "verify " + IndexName, Why: "no public key is configured",
		Do: "Set tap.kernelModule.source.publicKeys to the repository's minisign key, or source.verify to checksum or none.",
	}
	if bad > 0 {
		e.Why = fmt.Sprintf("none of the %d configured public keys is a valid minisign public key", bad)
	}
	return e
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
			return key, fmt.Errorf("cannot read minisign public key %q: %w", line, err)
		}
		return key, nil
	}
	return key, fmt.Errorf("cannot read minisign public key: it is empty")
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
	return &Error{Reason: outcome.SignatureInvalid, What: "verify " + IndexName, Why: why}
}
