package images_test

import (
	"bytes"
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

	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// keyAndCertificate are in one PEM file, as the kernel's signing_key.pem is.
func keyAndCertificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xfedcba9876), Subject: pkix.Name{CommonName: "A machine owner", Organization: []string{"Ours"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signing_key.pem")
	data := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// RSA signatures are the same each time, so ours can be held against those of
// the kernel's own program byte for byte. modinfo reads the signer.
func TestOurKernelSignatureIsSignFiles(t *testing.T) {
	vm.Need(t)
	modinfo := kmod(t, "modinfo")
	k := vm.Get(t, vm.Stable)
	key := keyAndCertificate(t)
	for _, hash := range []string{"sha256", "sha512"} {
		dir := t.TempDir()
		ours, theirs := filepath.Join(dir, "ours.ko"), filepath.Join(dir, "theirs.ko")
		for _, path := range []string{ours, theirs} {
			if err := os.WriteFile(path, vm.Module(t, k, vm.Variant{}), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command(filepath.Join(k.Headers, "scripts", "sign-file"), hash, key, key, theirs).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		mustRun(t, "module", "sign-kernel", ours, "--key", key, "--cert", key, "--hash", hash)
		a, errA := os.ReadFile(ours)
		b, errB := os.ReadFile(theirs)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes, sign-file's %d, and they differ (%v, %v)", hash, len(a), len(b), errA, errB)
		}
		out, err := exec.Command(modinfo, "-F", "signer", ours).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "A machine owner" {
			t.Errorf("modinfo: %v: %s", err, out)
		}
		if _, _, err := pfring(t, "module", "sign-kernel", ours, "--key", key, "--cert", key); err == nil || !strings.Contains(err.Error(), `is already signed by "A machine owner"`) {
			t.Error(err)
		}
		mustRun(t, "module", "sign-kernel", ours, "--key", key, "--cert", key, "--hash", hash, "--replace")
		if again, err := os.ReadFile(ours); err != nil || !bytes.Equal(a, again) {
			t.Errorf("signed again it is not the same (%v)", err)
		}
	}
}
