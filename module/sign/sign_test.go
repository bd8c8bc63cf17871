package sign_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/sign"
)

// newKey makes a key of a kind and its certificate, and the PEM of both.
func newKey(t *testing.T, kind string) (crypto.Signer, *x509.Certificate, []byte) {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234567890abcdef), Subject: pkix.Name{CommonName: "Modules of " + kind},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}

func files(t *testing.T, content map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, content)
	return dir
}

// OpenSSL must find the signature good, and no longer so when a byte changes.
func TestOpenSSLVerifiesTheSignature(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
			t.Fatal("needs openssl: apt-get install openssl")
		}
		t.Skip("needs openssl: apt-get install openssl")
	}
	ko := moduletest.KO{}.Bytes()
	for _, kind := range []string{"rsa", "ecdsa"} {
		key, cert, both := newKey(t, kind)
		for _, hash := range []string{"sha256", "sha384", "sha512"} {
			message, err := sign.Message(ko, key, cert, hash)
			if err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(ko)
			bad[len(bad)/2] ^= 1
			dir := files(t, map[string][]byte{"good": ko, "bad": bad, "sig": message, "cert": both})
			for name, want := range map[string]bool{"good": true, "bad": false} {
				cmd := exec.Command(openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", "sig", "-content", name,
					"-certfile", "cert", "-nointern", "-noverify", "-out", os.DevNull)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); (err == nil) != want {
					t.Errorf("%s with %s, %s: %v: %s", kind, hash, name, err, out)
				}
			}
		}
	}
}

func TestASignedModuleSaysWhoSignedIt(t *testing.T) {
	key, cert, _ := newKey(t, "rsa")
	ko := moduletest.KO{}.Bytes()
	signed, err := sign.Sign(ko, key, cert, "sha256")
	if err != nil {
		t.Fatal(err)
	}
	info, err := module.Inspect(signed)
	if err != nil || !info.Signed || info.Signer != "Modules of rsa" {
		t.Errorf("%+v %v", info, err)
	}
	if _, err := sign.Sign(signed, key, cert, "sha256"); err == nil || !strings.Contains(err.Error(), "already signed") {
		t.Error(err)
	}
	if plain, was, err := sign.Strip(signed); err != nil || !was || !bytes.Equal(plain, ko) {
		t.Error(was, err)
	}
}

func TestWhatNoKernelWouldVerifyIsRefused(t *testing.T) {
	key, cert, _ := newKey(t, "rsa")
	other, _, _ := newKey(t, "rsa")
	ed, edCert, _ := newKey(t, "ed25519")
	for name, c := range map[string]struct {
		key  crypto.Signer
		cert *x509.Certificate
		hash string
		says string
	}{
		"hash":  {key, cert, "md5", "must be sha256, sha384 or sha512"},
		"other": {other, cert, "sha256", "do not match"},
		"kind":  {ed, edCert, "sha512", "RSA"},
	} {
		if _, err := sign.Sign(moduletest.KO{}.Bytes(), c.key, c.cert, c.hash); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: no %q in: %v", name, c.says, err)
		}
	}
}

func TestKeysAndCertificatesAreReadOrRefusedPlainly(t *testing.T) {
	_, cert, both := newKey(t, "ecdsa")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	dir := files(t, map[string][]byte{"both": both, "der": cert.Raw, "encrypted": encrypted, "text": []byte("hello"), "broken": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})})
	if _, err := sign.ReadKey(filepath.Join(dir, "both")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"both", "der"} {
		if c, err := sign.ReadCertificate(filepath.Join(dir, name)); err != nil || !c.Equal(cert) {
			t.Error(name, err)
		}
	}
	for name, says := range map[string]string{"encrypted": "is encrypted", "text": "no PEM private key", "broken": "broken", "none": "none"} {
		if _, err := sign.ReadKey(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: no %q in: %v", name, says, err)
		}
	}
	if _, err := sign.ReadCertificate(filepath.Join(dir, "text")); err == nil {
		t.Error("text was taken for a certificate")
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte("body"), []byte("signature"))
	f.Fuzz(func(t *testing.T, body, tail []byte) {
		file := append(append(bytes.Clone(body), tail...), sign.Magic...)
		plain, signed, err := sign.Strip(file)
		if err == nil && (!signed || !bytes.HasPrefix(file, plain)) {
			t.Errorf("%v %q", signed, plain)
		}
		if same, signed, err := sign.Strip(body); err == nil && !signed && !bytes.Equal(same, body) {
			t.Error("an unsigned file was changed")
		}
	})
}

func TestAnEncryptedKeySaysHowToDecryptIt(t *testing.T) {
	for kind, headers := range map[string]map[string]string{
		"RSA PRIVATE KEY":       {"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"},
		"ENCRYPTED PRIVATE KEY": nil,
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte("secret")}), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sign.ReadKey(path); err == nil || !strings.Contains(err.Error(), "openssl pkey") {
			t.Errorf("%s: err = %v, want one that says how to decrypt it", kind, err)
		}
	}
}
