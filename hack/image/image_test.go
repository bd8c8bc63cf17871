package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// built is the folder of the agents, made by the first test that needs them.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a temporary folder
	}
	os.Exit(code)
}

// agents builds the agent as `make agent` does, once for all tests.
func agents(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds for two architectures; run without -short")
	}
	if built != "" {
		return built
	}
	dir, err := os.MkdirTemp("", "agents-")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "netgo,osusergo,nethttpomithttp2", "-ldflags", "-s -w",
			"-o", filepath.Join(dir, "pfring-agent-"+arch), "../../cmd/pfring-agent")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	built = dir
	return dir
}

func contents(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	r := mutate.Extract(image)
	defer r.Close() // a pipe of our own
	out := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if out[h.Name], err = io.ReadAll(tr); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheImageHoldsTheAgentAndCertificatesAndIsTheSameTwice(t *testing.T) {
	dir := agents(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/kubeshark/pfring-agent:v1"
	var said []string
	layoutDir := t.TempDir()
	for _, output := range []string{ref, "oci:" + layoutDir + ":v1"} {
		var out bytes.Buffer
		cmd := command()
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"--source", "../..", "--binaries", dir, "--version", "v1", "--revision", "abc", "--output", output})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		said = append(said, strings.Fields(out.String())[1])
	}
	if said[0] != said[1] {
		t.Errorf("twice the same is %q", said)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := crane.Pull(ref, crane.WithPlatform(&v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(image); err != nil {
			t.Error(err)
		}
		isConfigured(t, image, arch)
		files := contents(t, image)
		var names []string
		for name := range files {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"etc/ssl/certs/ca-certificates.crt", "licenses/LICENSE", "licenses/THIRD_PARTY_LICENSES", "pfring-agent"}) {
			t.Errorf("the image holds %q", names)
		}
		if n := roots(t, files["etc/ssl/certs/ca-certificates.crt"]); n < 100 {
			t.Errorf("%d certificates", n)
		}
		if texts := string(files["licenses/THIRD_PARTY_LICENSES"]); !strings.Contains(texts, "github.com/klauspost/compress") || strings.Contains(texts, "helm.sh/helm") {
			t.Error("the licences are not those of what the agent is linked from")
		}
		if arch == runtime.GOARCH && runtime.GOOS == "linux" {
			runs(t, files["pfring-agent"])
		}
		fromRegistry := attachedInRegistry(t, ref, image)
		listsWhatTheProgramSays(t, fromRegistry, filepath.Join(dir, "pfring-agent-"+arch))
		if !bytes.Equal(fromRegistry, attachedInLayout(t, layoutDir, image)) {
			t.Error("the layout has another list of contents than the registry")
		}
	}
	theIndexSaysWhatItIs(t, ref)
}

func isConfigured(t *testing.T, image v1.Image, arch string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil || config.Architecture != arch || config.Config.User != nobody || config.Config.Labels["org.opencontainers.image.revision"] != "abc" {
		t.Errorf("%v %+v", err, config)
	}
}

func theIndexSaysWhatItIs(t *testing.T, ref string) {
	t.Helper()
	index, err := crane.Manifest(ref)
	if err != nil || !bytes.Contains(index, []byte(`"annotations":{`)) || !bytes.Contains(index, []byte(`"org.opencontainers.image.revision":"abc"`)) {
		t.Errorf("the index says nothing of itself: %v %s", err, index)
	}
}

func roots(t *testing.T, bundle []byte) int {
	t.Helper()
	n := 0
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		n++
	}
	return n
}

func runs(t *testing.T, program []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "version").CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("pfring-agent version: %v: %s", err, out)
	}
}

func TestAProgramForAnotherMachineOrWithLibrariesIsRefused(t *testing.T) {
	dir := t.TempDir()
	dynamic, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip("needs a /bin/sh that is dynamically linked, as on Debian")
	}
	for name, c := range map[string]struct{ arch, says string }{
		"missing": {"none", "make agent"}, "dynamic": {"amd64", "is not static"}, "other": {"arm64", "not for arm64"},
	} {
		if c.arch != "none" {
			if err := os.WriteFile(filepath.Join(dir, "pfring-agent-"+c.arch), dynamic, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if runtime.GOARCH != "amd64" && c.arch != "none" {
			continue
		}
		if _, err := Build(Options{Binaries: dir, Archs: []string{c.arch}}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: no %q in: %v", name, c.says, err)
		}
	}
}
