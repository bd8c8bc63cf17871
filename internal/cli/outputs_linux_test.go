package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

// writer is a command that writes to a place that its user names, which stands for OUT.
type writer struct {
	args []string
	// folder says that the place is a folder.
	folder bool
}

// writers are all flags and arguments that name a place to write to, but those of
// commands that need a cluster.
func writers(t *testing.T) map[string]writer {
	t.Helper()
	dir := t.TempDir()
	url, public := signedRepository(t, "6.1.0-18-cloud-amd64")
	ko, key := filepath.Join(dir, "pf_ring.ko"), filepath.Join(dir, "key.pem")
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A machine owner"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...)
	for name, data := range map[string][]byte{ko: moduletest.KO{Kernel: "6.1.0-18-cloud-amd64"}.Bytes(), key: both} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]writer{
		"plan":                  {[]string{"plan", "--kernel", "6.1.0-18-cloud-amd64", "--source", url, "--public-key", public, "--output-file", "OUT"}, false},
		"sign-kernel":           {[]string{"module", "sign-kernel", ko, "--key", key, "--cert", key, "-o", "OUT"}, false},
		"pack, an archive":      {[]string{"module", "pack", ko, "--base", "scratch", "-o", "docker-archive:OUT"}, false},
		"mirror to a tarball":   {[]string{"module", "mirror", strings.TrimPrefix(url, "file://"), "OUT.tar", "--public-key", public}, false},
		"keygen":                {[]string{"module", "keygen", "OUT", "--no-password"}, false},
		"render":                {[]string{"render", "--set", "tap.kernelModule.mode=auto", "--output-dir", "OUT"}, true},
		"render for kustomize":  {[]string{"render", "--set", "tap.kernelModule.mode=auto", "--kustomize", "--output-dir", "OUT"}, true},
		"pack, a layout":        {[]string{"module", "pack", ko, "--base", "scratch", "-o", "oci:OUT"}, true},
		"mirror to a folder":    {[]string{"module", "mirror", strings.TrimPrefix(url, "file://"), "OUT", "--public-key", public}, true},
		"build into a folder":   {[]string{"module", "build", "--from-log", ko, "--output-dir", "OUT"}, true},
		"build into repository": {[]string{"module", "build", "--from-log", ko, "--repository", "OUT"}, true},
	}
}

// run runs the command with a place for OUT.
func (w writer) run(t *testing.T, out string) (stdout, stderr string, code int) {
	t.Helper()
	args := slices.Clone(w.args)
	for i, arg := range args {
		// The name shows that it is a tarball.
		args[i] = strings.Replace(strings.Replace(arg, "OUT.tar", strings.TrimSuffix(out, ".tar")+".tar", 1), "OUT", out, 1)
	}
	return execute(t, "", args...)
}

// A place that cannot be written to is named, with the cause and the exit
// code of what could not be carried out, and what was there stays.
func TestAPlaceThatCannotBeWrittenIsNamed(t *testing.T) {
	taken := func(t *testing.T, extension string) (file, folder string) {
		t.Helper()
		dir := t.TempDir()
		file, folder = filepath.Join(dir, "file"+extension), filepath.Join(dir, "folder"+extension)
		if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(folder, "precious"), 0o750); err != nil {
			t.Fatal(err)
		}
		return file, folder
	}
	for name, w := range writers(t) {
		t.Run(name, func(t *testing.T) {
			extension := ".tar"
			if w.folder {
				extension = ""
			}
			file, folder := taken(t, extension)
			places := map[string]string{
				"/sys/kernel/pfring" + extension:           "", // nobody can make anything there
				filepath.Join(file, "below"+extension):     "not a directory",
				filepath.Join(folder, "no/such"+extension): "no such file or directory",
				folder: "is a directory",
			}
			if w.folder {
				// It would be made, and used.
				delete(places, filepath.Join(folder, "no/such"+extension))
				delete(places, folder)
				places[file] = "not a directory"
			}
			for place, cause := range places {
				_, stderr, code := w.run(t, place)
				if name == "keygen" && place == folder {
					cause = "already" // it replaces nothing
				}
				for _, internal := range []string{".tmp", "openat", "mkdirat", "renameat", "readdirent", "%!"} {
					if strings.Contains(stderr, internal) {
						t.Errorf("%s: %q has %q in it", place, stderr, internal)
					}
				}
				if code != 2 || !strings.Contains(stderr, place) || !strings.Contains(stderr, cause) {
					t.Errorf("%s: exit code %d, want 2 with the place and %q\n%s", place, code, cause, stderr)
				}
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
				t.Errorf("the file that was there: %q, %v", data, err)
			}
			if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
				t.Errorf("the folder that was there: %v, %v", entries, err)
			}
			if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 2 {
				t.Errorf("something is left: %v, %v", entries, err)
			}
		})
	}
}

// A link is followed, and a device or a pipe written to: nothing takes their place.
func TestLinksAndDevicesStayWhatTheyAre(t *testing.T) {
	for name, w := range writers(t) {
		if w.folder || name == "keygen" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			link, to := filepath.Join(dir, "link.tar"), filepath.Join(dir, "to")
			if err := os.Symlink("to", link); err != nil {
				t.Fatal(err)
			}
			if _, stderr, code := w.run(t, link); code != 0 {
				t.Fatalf("through a link: exit code %d\n%s", code, stderr)
			}
			if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("the link: %v, %v", info, err)
			}
			if info, err := os.Lstat(to); err != nil || info.Size() == 0 {
				t.Errorf("what it leads to: %v, %v", info, err)
			}
			if strings.HasPrefix(name, "mirror") {
				return // a tarball is read again, which no device lets one do
			}
			// Of the device itself, and not of /dev, where root could replace it.
			full := filepath.Join(dir, "full")
			if err := os.Symlink("/dev/full", full); err != nil {
				t.Fatal(err)
			}
			if _, stderr, code := w.run(t, full); code != 2 || !strings.Contains(stderr, "cannot write "+full+": no space left on device") {
				t.Errorf("a full device: exit code %d\n%s", code, stderr)
			}
			if info, err := os.Stat("/dev/full"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
				t.Fatalf("/dev/full: %v, %v", info, err)
			}
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			read := make(chan int)
			go func() {
				data, _ := os.ReadFile(pipe)
				read <- len(data)
			}()
			if _, stderr, code := w.run(t, pipe); code != 0 {
				t.Errorf("a pipe: exit code %d\n%s", code, stderr)
			}
			if n := <-read; n == 0 {
				t.Error("nothing came through the pipe")
			}
		})
	}
}
