package vm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// Firmware is UEFI in which a key is enrolled, as on a machine whose owner has
// done that for Secure Boot: the kernel reads it at start and trusts modules
// that it has signed. It is Debian's package ovmf, with the test key that lies
// in there.
type Firmware struct {
	// Key and Certificate are PEM files.
	Key, Certificate string

	code, variables string
}

// GetFirmware returns the firmware, downloaded now or by an earlier run.
func GetFirmware(t testing.TB) *Firmware {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		why := "needs openssl: run hack/install-test-deps.sh as root"
		if os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	f, err := getFirmware()
	if err != nil {
		t.Fatalf("getting the firmware: %v", err)
	}
	return f
}

func getFirmware() (_ *Firmware, err error) {
	cache, err := toolbin.CacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "vm-firmware-"+codename)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockedfile.MutexAt(dir + ".lock").Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	share := filepath.Join(dir, "usr", "share")
	f := &Firmware{
		Key: filepath.Join(dir, "key.pem"), Certificate: filepath.Join(share, "ovmf", "PkKek-1-snakeoil.pem"),
		// Not the one that enforces Secure Boot: that would take a kernel signed by
		// this key. The kernel reads the enrolled keys from either.
		code: filepath.Join(share, "OVMF", "OVMF_CODE_4M.fd"), variables: filepath.Join(share, "OVMF", "OVMF_VARS_4M.snakeoil.fd"),
	}
	if _, err := os.Stat(f.Key); err == nil {
		return f, nil
	}
	if err := downloadFirmware(dir, f.Key); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f, nil
}

func downloadFirmware(dir, key string) error {
	state := filepath.Join(dir, "apt")
	a, err := newApt(Stable, state)
	if err != nil {
		return err
	}
	if _, err := a.run(state, "apt-get", "download", "ovmf"); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(state, "*.deb"))
	if err != nil || len(debs) != 1 {
		return errors.Join(err, errors.New("apt-get download ovmf left no package"))
	}
	if _, err := run(exec.Command("dpkg-deb", "-x", debs[0], dir)); err != nil {
		return err
	}
	// The password is the package's own and no secret.
	_, err = run(exec.Command("openssl", "pkey", "-in", filepath.Join(dir, "usr", "share", "ovmf", "PkKek-1-snakeoil.key"),
		"-passin", "pass:snakeoil", "-out", key))
	return errors.Join(err, os.RemoveAll(state))
}

// drives are QEMU's arguments for it. The variables are copied into dir, since
// the firmware writes to them.
func (f *Firmware) drives(dir string) ([]string, error) {
	variables, err := os.ReadFile(f.variables)
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, "variables.fd")
	if err := os.WriteFile(own, variables, 0o600); err != nil {
		return nil, err
	}
	return []string{"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + f.code, "-drive", "if=pflash,format=raw,unit=1,file=" + own}, nil
}
