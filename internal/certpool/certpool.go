// Package certpool has the certificate authorities that a client trusts. It imports
// only the standard library.
package certpool

import (
	"crypto/x509"
	"errors"
)

// MaxBundle bounds, in bytes, a bundle of authorities: that of the web has 0.2 MB.
const MaxBundle = 4 << 20

// errEmpty means that a bundle has no certificate.
var errEmpty = errors.New("it does not contain a PEM certificate")

// WithSystem returns the system's authorities and those of a bundle in PEM.
func WithSystem(bundle []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the system has none
	}
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, errEmpty
	}
	return pool, nil
}
