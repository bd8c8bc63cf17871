package cli_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
)

// run is execute without input, with the code first.
func run(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	out, errOut, code = execute(t, "", args...)
	return code, out, errOut
}

// What mirror and push print is meant to be used as it is.
func TestThePrintedValuesAreValid(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, r.Files)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	key, unsigned := filepath.Join(t.TempDir(), "own.key"), t.TempDir()
	moduletest.WriteFiles(t, unsigned, map[string][]byte{"pf_ring.ko": moduletest.KO{}.Bytes()})
	if code, _, errOut := run(t, "module", "keygen", key, "--no-password"); code != 0 || !strings.Contains(errOut, "source.publicKeys") {
		t.Fatal(errOut)
	}
	if code, out, errOut := run(t, "module", "index", unsigned); code != 0 || !strings.Contains(errOut, "module sign") {
		t.Fatal(out, errOut)
	}
	ca := filepath.Join(t.TempDir(), "it's a ca.pem")
	secure := httptest.NewTLSServer(nil)
	secure.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"a folder":             {[]string{"mirror", dir, t.TempDir(), "--public-key", r.PublicKey}, []string{"hostPath:", r.PublicKey}},
		"a registry":           {[]string{"mirror", dir, "oci://" + host + "/a", "--public-key", r.PublicKey}, []string{"url: oci://" + host + "/a", r.PublicKey}},
		"a registry with a CA": {[]string{"mirror", dir, "oci://" + host + "/b", "--public-key", r.PublicKey, "--ca-file", ca}, []string{"configMap: pfring-ca"}},
		"its own index":        {[]string{"mirror", dir, "oci://" + host + "/c", "--public-key", r.PublicKey, "--key", key, "--strip", "--compress"}, []string{"publicKeys:"}},
		"pushed":               {[]string{"push", dir, "oci://" + host + "/d"}, nil},
		"pushed and verified":  {[]string{"push", dir, "oci://" + host + "/e", "--public-key", r.PublicKey}, []string{r.PublicKey}},
		"pushed with a key":    {[]string{"push", unsigned, "oci://" + host + "/f", "--key", key, "--compress"}, []string{"publicKeys:"}},
		"unsigned":             {[]string{"push", unsigned, "oci://" + host + "/g"}, []string{"verify: checksum"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, append([]string{"module"}, c.args...)...)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, said, errOut := run(t, "validate", file); code != 0 {
				t.Errorf("validate: exit %d, %s%s of\n%s", code, said, errOut, out)
			}
		})
	}
	tarball := filepath.Join(t.TempDir(), "b.tar")
	code, out, errOut := run(t, "module", "mirror", dir, tarball, "--public-key", r.PublicKey)
	if code != 0 || out != "" || !strings.Contains(errOut, "module mirror "+tarball) {
		t.Errorf("a tarball: exit %d, %q, %q", code, out, errOut)
	}
}

func TestArchitecturesAreReadTheSameEverywhere(t *testing.T) {
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"pf_ring.ko": moduletest.KO{}.Bytes()})
	ko := filepath.Join(dir, "pf_ring.ko")
	if code, out, errOut := run(t, "module", "index", dir); code != 0 {
		t.Fatal(out, errOut)
	}
	for name, args := range map[string][]string{
		"inspect": {"module", "inspect", ko}, "pack": {"module", "pack", ko, "--base", "scratch", "-o", "oci:" + t.TempDir()},
		"mirror":        {"module", "mirror", dir, t.TempDir(), "--verify", "checksum"},
		"compatibility": {"compatibility", "--source", "file://" + dir, "--set", "tap.kernelModule.source.verify=checksum,tap.kernelModule.source.volume.hostPath.path=/m", "--kernel", moduletest.Kernel},
	} {
		for _, arch := range []string{"amd64", "x86_64", "AMD64"} {
			if code, out, errOut := run(t, append(args, "--arch", arch)...); code != 0 {
				t.Errorf("%s --arch %s: exit %d: %s%s", name, arch, code, out, errOut)
			}
		}
		for _, arch := range []string{"i386", "x86-64", "armv7l"} {
			code, out, errOut := run(t, append(args, "--arch", arch)...)
			if code != 2 || !strings.Contains(errOut, "must be amd64 (x86_64) or arm64 (aarch64)") {
				t.Errorf("%s --arch %s: exit %d: %s%s", name, arch, code, out, errOut)
			}
		}
	}
}
