package sign

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// maxFile bounds a key or a certificate, in bytes. Either may come through a pipe.
const maxFile = 1 << 20

// ReadKey reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1.
func ReadKey(path string) (crypto.Signer, error) {
	data, err := readfile.Bounded(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the signing key: %w", err)
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

func parseKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		default:
			continue
		}
		if err != nil {
			return nil, errors.New("its private key is damaged")
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errors.New("its private key is of a kind that cannot sign")
	}
	return nil, errors.New("no PEM private key found in it")
}

var errEncrypted = errors.New("the private key is encrypted. Decrypt it in memory, for example with --key <(openssl pkey -in FILE)")

// ReadCertificate reads an X.509 certificate, in PEM or DER.
func ReadCertificate(path string) (*x509.Certificate, error) {
	data, err := readfile.Bounded(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			data = block.Bytes
			break
		}
	}
	cert, err := x509.ParseCertificate(data)
	if err != nil {
		return nil, fmt.Errorf("invalid certificate %s: must be X.509 in PEM or DER: %w", path, err)
	}
	return cert, nil
}
