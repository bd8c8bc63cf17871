package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/sbom"
)

func digestOf(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// attachedInRegistry is the list of contents that a registry names as a referrer of an image.
func attachedInRegistry(t *testing.T, ref string, image v1.Image) []byte {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(tag.Context().Digest(digestOf(t, image).String()))
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil || len(list.Manifests) != 1 || list.Manifests[0].ArtifactType != sbom.MediaType {
		t.Fatalf("%v: the referrers are %+v", err, list)
	}
	artifact, err := remote.Image(tag.Context().Digest(list.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	return onlyLayer(t, artifact)
}

func attachedInLayout(t *testing.T, dir string, image v1.Image) []byte {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Manifests {
		if !d.MediaType.IsImage() {
			continue
		}
		artifact, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := artifact.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if manifest.Subject != nil && manifest.Subject.Digest == digestOf(t, image) {
			return onlyLayer(t, artifact)
		}
	}
	t.Fatalf("nothing in the layout has the image as its subject")
	return nil
}

func onlyLayer(t *testing.T, image v1.Image) []byte {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%v, %d layers", err, len(layers))
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() // of memory or of a file that was read
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var dependency = regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`)

// listsWhatTheProgramSays compares the list with what the go command reads from the program.
func listsWhatTheProgramSays(t *testing.T, text []byte, program string) {
	t.Helper()
	var d sbom.Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	versions, declared := map[string]string{}, map[string]string{}
	for _, p := range d.Packages {
		versions[p.Name], declared[p.Name] = p.Version, p.LicenseDeclared
	}
	out, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	found := dependency.FindAllStringSubmatch(string(out), -1)
	if len(found) < 5 {
		t.Fatalf("go version -m lists %d modules", len(found))
	}
	for _, m := range found {
		if versions[m[1]] != m[2] || declared[m[1]] == "" || declared[m[1]] == "NOASSERTION" {
			t.Errorf("%s %s is listed as %q, licence %q", m[1], m[2], versions[m[1]], declared[m[1]])
		}
	}
	if declared["stdlib"] != "BSD-3-Clause" || versions["pfring-agent"] != "v1" || declared["mozilla-ca-certificates"] == "" {
		t.Errorf("%s", text)
	}
	known := map[string]bool{"SPDXRef-DOCUMENT": true}
	for _, p := range d.Packages {
		if known[p.ID] {
			t.Errorf("two packages are %s", p.ID)
		}
		known[p.ID] = true
	}
	for _, r := range d.Relationships {
		if !known[r.From] || !known[r.To] {
			t.Errorf("%+v names what is not there", r)
		}
	}
}

func TestARegistryWithoutReferrersGetsATagThatListsThem(t *testing.T) {
	dir := agents(t)
	server := oldRegistry(t)
	target := server + "/kubeshark/pfring-agent:v1"
	cmd := command()
	cmd.SetOut(io.Discard)
	cmd.SetArgs([]string{"--source", "../..", "--binaries", dir, "--version", "v1", "--arch", "amd64", "--output", target})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(target)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if len(attachedInRegistry(t, target, image)) == 0 {
		t.Error("nothing is attached")
	}
	tags, err := remote.List(ref.Context())
	if err != nil || len(tags) != 2 || !strings.HasPrefix(tags[0]+tags[1], "sha256-") {
		t.Errorf("%v %q", err, tags)
	}
}

func TestADockerArchiveLeavesTheListOut(t *testing.T) {
	dir := agents(t)
	file := t.TempDir() + "/agent.tar"
	cmd := command()
	cmd.SetOut(io.Discard)
	cmd.SetArgs([]string{"--source", "../..", "--binaries", dir, "--version", "v1", "--arch", "amd64", "--output", "docker-archive:" + file + ":pfring-agent:v1"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Error(err)
	}
}

// oldRegistry knows nothing of referrers, as those of OCI 1.0.
func oldRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
