package vm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Dummy returns the kernel's own module of that name, which Debian has signed.
func Dummy(t testing.TB, k Kernel) []byte {
	t.Helper()
	return kernelModule(t, k, "drivers/net/dummy")
}

// Sign appends a signature with a key of its own, which no kernel trusts. It
// runs the kernel's own tool.
func Sign(t testing.TB, k Kernel, ko []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key.pem"), filepath.Join(dir, "module.ko")
	if err := os.WriteFile(key, signingKey(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, ko, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run(exec.Command(filepath.Join(k.Headers, "scripts", "sign-file"), "sha256", key, key, file)); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// signingKey is a fresh private key and its certificate, in PEM.
func signingKey(t testing.TB) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A key that no kernel knows"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})...)
}
