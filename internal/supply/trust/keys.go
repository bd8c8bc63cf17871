package trust

import (
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"
)

// NewKey makes a minisign secret key without a password, as text.
func NewKey() ([]byte, error) {
	_, private, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("cannot create a signing key: %w", err)
	}
	text, err := private.MarshalText()
	if err != nil {
		return nil, fmt.Errorf("cannot create a signing key: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseKey reads a minisign secret key.
func ParseKey(text []byte) (minisign.PrivateKey, error) {
	var key minisign.PrivateKey
	switch {
	case len(text) == 0:
		return key, errors.New("it is empty")
	case minisign.IsEncrypted(text):
		return key, errors.New("it has a password. Create a key without one: pfring module keygen --no-password")
	}
	if err := key.UnmarshalText(text); err != nil {
		return key, fmt.Errorf("it is not a minisign secret key: %s", strings.TrimPrefix(err.Error(), "minisign: "))
	}
	return key, nil
}
