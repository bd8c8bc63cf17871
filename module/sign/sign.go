// Package sign appends signatures to kernel modules as the kernel's own
// scripts/sign-file does: a PKCS #7 message (RFC 5652) over the file, and a
// trailer that says how long it is (Documentation/admin-guide/module-signing.rst
// and include/linux/module_signature.h). Kernels with Secure Boot load only
// modules signed by a key that they trust.
//
// This is the kernel's signature. The signature of a repository's index is
// package modulerepo's.
package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hash functions below
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// Magic ends a file that has a signature.
const Magic = "~Module signature appended~\n"

// trailerSize is that of struct module_signature in bytes, and pkcs7 the id_type
// in it.
const (
	trailerSize = 12
	pkcs7       = 2
)

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidRSA        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// hashes are those that kernels verify, by the name that sign-file takes.
func hashes(name string) (crypto.Hash, asn1.ObjectIdentifier, asn1.ObjectIdentifier, error) {
	digest, ecdsaWith := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3}
	switch name {
	case "sha256":
		return crypto.SHA256, append(digest, 1), append(ecdsaWith, 2), nil
	case "sha384":
		return crypto.SHA384, append(digest, 2), append(ecdsaWith, 3), nil
	case "sha512":
		return crypto.SHA512, append(digest, 3), append(ecdsaWith, 4), nil
	}
	return 0, nil, nil, fmt.Errorf("invalid hash %q: must be sha256, sha384 or sha512", name)
}

// The parts of the message, as RFC 5652 names them.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version          int
		DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
		Content          struct{ Type asn1.ObjectIdentifier }
		SignerInfos      []signerInfo `asn1:"set"`
	}
	signerInfo struct {
		Version            int
		Issuer             issuerAndSerial
		DigestAlgorithm    pkix.AlgorithmIdentifier
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
)

// Sign returns ko with a signature appended. key must be the one of cert, which
// the kernel finds its own copy of by issuer and serial number. hash is sha256,
// sha384 or sha512. A module that has a signature already is an error: see
// Strip.
func Sign(ko []byte, key crypto.Signer, cert *x509.Certificate, hash string) ([]byte, error) {
	if _, signed, err := Strip(ko); err != nil || signed {
		return nil, errors.Join(err, errors.New("the module is already signed"))
	}
	message, err := Message(ko, key, cert, hash)
	if err != nil {
		return nil, err
	}
	trailer := make([]byte, trailerSize)
	trailer[2] = pkcs7
	// #nosec G115 -- a signature has some hundred bytes
	binary.BigEndian.PutUint32(trailer[8:], uint32(len(message)))
	return bytes.Join([][]byte{ko, message, trailer, []byte(Magic)}, nil), nil
}

// Message is the detached PKCS #7 message over data, in DER.
func Message(data []byte, key crypto.Signer, cert *x509.Certificate, hash string) ([]byte, error) {
	function, digestOID, ecdsaOID, err := hashes(hash)
	if err != nil {
		return nil, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return nil, errors.New("the key and the certificate do not match")
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
	switch key.Public().(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		algorithm = pkix.AlgorithmIdentifier{Algorithm: ecdsaOID}
	default:
		return nil, errors.New("invalid key: must be RSA, or ECDSA for kernels from 5.13 on")
	}
	h := function.New()
	h.Write(data)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), function)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the module: %w", err)
	}
	digest := pkix.AlgorithmIdentifier{Algorithm: digestOID}
	body := signedData{Version: 1, DigestAlgorithms: []pkix.AlgorithmIdentifier{digest}, SignerInfos: []signerInfo{{
		Version: 1, Issuer: issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber},
		DigestAlgorithm: digest, SignatureAlgorithm: algorithm, Signature: signature,
	}}}
	body.Content.Type = oidData
	der, err := asn1.Marshal(contentInfo{oidSignedData, body})
	if err != nil {
		return nil, fmt.Errorf("cannot write the signature: %w", err)
	}
	return der, nil
}

// Strip returns ko without its signature, and whether it had one. What is said
// to be one and cannot be is an error.
func Strip(ko []byte) (plain []byte, signed bool, err error) {
	body, ok := bytes.CutSuffix(ko, []byte(Magic))
	if !ok {
		return ko, false, nil
	}
	if len(body) < trailerSize {
		return nil, true, errors.New("the module's signature is damaged: the file is too short for it")
	}
	size := uint64(binary.BigEndian.Uint32(body[len(body)-4:]))
	body = body[:len(body)-trailerSize]
	if size > uint64(len(body)) {
		return nil, true, fmt.Errorf("the module's signature is damaged: it claims %d bytes of %d", size, len(body))
	}
	return body[:uint64(len(body))-size], true, nil
}
