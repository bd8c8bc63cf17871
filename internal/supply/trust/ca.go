package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// How long certificates are valid. They are renewed after two thirds.
const (
	caLife      = 10 * 365 * 24 * time.Hour
	servingLife = 90 * 24 * time.Hour
	// skew is how far behind a node's clock may be: one that takes local time for UTC
	// is up to 14 hours off, until it asks a time server.
	skew = 24 * time.Hour
)

// Pair is a certificate and its key, as PEM.
type Pair struct{ Cert, Key []byte }

// NewCA makes a certificate authority.
func NewCA(name string, now time.Time) (Pair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-skew), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	return issue(template, template, nil)
}

// Issue makes a server's certificate for names; the first is its subject.
func (ca Pair) Issue(names []string, now time.Time) (Pair, error) {
	pair, err := ca.parse()
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: now.Add(-skew), NotAfter: now.Add(servingLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(names[0]) > 64 {
		// A common name is not longer than that; nobody reads it any more.
		template.Subject.CommonName = ""
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return Pair{}, errors.New("cannot use the CA: its key is not an ECDSA key")
	}
	return issue(template, pair.Leaf, key)
}

func issue(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot create a key: %w", err)
	}
	if signer == nil {
		signer = key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return Pair{}, fmt.Errorf("cannot create a certificate: %w", err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot create a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot create a certificate: %w", err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, nil
}

func (p Pair) parse() (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return pair, fmt.Errorf("cannot use the certificate: %w", err)
	}
	return pair, nil
}

// TLS is the pair for a server.
func (p Pair) TLS() (tls.Certificate, error) { return p.parse() }

// Due tells whether the certificate is to be renewed, or cannot be used at all: one
// that is not valid yet was made before a clock was set back. The time is when it
// will be.
func (p Pair) Due(now time.Time) (bool, time.Time) {
	pair, err := p.parse()
	if err != nil {
		return true, time.Time{}
	}
	from, to := pair.Leaf.NotBefore, pair.Leaf.NotAfter
	at := from.Add(to.Sub(from) * 2 / 3)
	return now.Before(from) || !now.Before(at), at
}

// Usable tells whether a server may show the certificate at a time under one of
// these names' first, signed by a CA.
func (p Pair) Usable(ca []byte, name string, now time.Time) bool {
	pair, err := p.parse()
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return false
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err == nil
}

// Certificates splits PEM into certificates.
func Certificates(text []byte) []string {
	var list []string
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return list
		}
		if block.Type == "CERTIFICATE" {
			list = append(list, string(bytes.TrimSpace(pem.EncodeToMemory(block))))
		}
	}
}
