package kube

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority is the certificate authority of one cluster.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// certLife is longer than any test and short enough that a leaked key is worthless.
const certLife = 24 * time.Hour

// newAuthority makes an authority and writes dir/ca.crt and dir/ca.key.
func newAuthority(dir string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the CA's key: %w", err)
	}
	a := &Authority{dir: dir, key: key}
	template := certTemplate(pkix.Name{CommonName: "pfring-test"})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	a.cert = template
	der, err := a.write("ca", template, key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	return a, nil
}

// CertFile is the authority's certificate in PEM.
func (a *Authority) CertFile() string { return a.file("ca.crt") }

func (a *Authority) file(name string) string { return filepath.Join(a.dir, name) }

// Issue writes NAME.crt and NAME.key for a user of some groups, or for a server on loopback.
func (a *Authority) Issue(name string, user pkix.Name) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("making a key for %s: %w", name, err)
	}
	template := certTemplate(user)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	// Beside loopback, the address that pods have of the API server.
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(ServiceAddress)}
	if _, err := a.write(name, template, key); err != nil {
		return "", "", err
	}
	return a.file(name + ".crt"), a.file(name + ".key"), nil
}

func (a *Authority) write(name string, template *x509.Certificate, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of %s: %w", name, err)
	}
	if err := writePEM(a.file(name+".crt"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return der, writePEM(a.file(name+".key"), "PRIVATE KEY", private)
}

func certTemplate(subject pkix.Name) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      subject,
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(certLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
