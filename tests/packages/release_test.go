package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/yaml"
)

// step is the script of the release workflow's step whose name begins so.
func step(t *testing.T, begins string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), ".github/workflows/release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs struct {
			Release struct {
				Steps []struct{ Name, Run string }
			}
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	for _, s := range workflow.Jobs.Release.Steps {
		if strings.HasPrefix(s.Name, begins) {
			return s.Run
		}
	}
	t.Fatalf("release.yml has no step %q", begins)
	return ""
}

// The step that signs is run as it stands, on what make image and make chart print.
// In the place of cosign is what writes down how it was called.
func TestTheReleaseSignsWhatItHasPushed(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash: install it")
	}
	dir := t.TempDir()
	one, two, three := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64), "sha256:"+strings.Repeat("3", 64)
	for file, text := range map[string]string{
		"images.txt": "  --output oci:dist/image/pfring-agent:0.1.0 --output docker.io/kubeshark/pfring-agent:0.1.0\n" +
			"oci:dist/image/pfring-agent:0.1.0 " + one + "\ndocker.io/kubeshark/pfring-agent:0.1.0@" + one + " " + one + "\n" +
			"docker.io/kubeshark/pfring-controller:0.1.0@" + two + " " + two + "\n",
		"chart.txt":                  "dist/release/kubeshark-pfring-0.1.0.tgz\noci://ghcr.io/kubeshark/charts/kubeshark-pfring:0.1.0@" + three + "\n",
		"dist/release/checksums.txt": "",
		"bin/cosign":                 "#!/bin/sh\necho \"$@\" >>calls\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil { // #nosec G306 -- one of them is run
			t.Fatal(err)
		}
	}
	run(t, dir, []string{"PATH=" + filepath.Join(dir, "bin") + string(os.PathListSeparator) + os.Getenv("PATH")}, "bash", "-eo", "pipefail", "-c", step(t, "sign images"))
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	var signed []string
	for _, line := range strings.Split(strings.TrimSpace(string(calls)), "\n") {
		words := strings.Fields(line)
		if words[0] != "sign" {
			continue
		}
		digest, err := name.NewDigest(words[len(words)-1])
		if err != nil {
			t.Errorf("cosign is called with %q: %v", line, err)
			continue
		}
		form := "bundle"
		if strings.Contains(line, " --new-bundle-format=false --use-signing-config=false ") {
			form = "tag"
		}
		signed = append(signed, form+" "+digest.Context().Name()+" "+digest.DigestStr())
	}
	var want []string
	for _, what := range []string{"index.docker.io/kubeshark/pfring-agent " + one, "index.docker.io/kubeshark/pfring-controller " + two, "ghcr.io/kubeshark/charts/kubeshark-pfring " + three} {
		// Verifiers of images look for one or the other.
		want = append(want, "bundle "+what, "tag "+what)
	}
	if !slices.Equal(signed, want) {
		t.Errorf("signed are\n%q\nwant\n%q", signed, want)
	}
	if !strings.Contains(string(calls), "sign-blob --yes --bundle dist/release/checksums.txt.sigstore.json dist/release/checksums.txt") {
		t.Errorf("%s", calls)
	}
}

// The commands of docs/verify.md that need no server, on a release.
func TestTheChecksumsAreVerifiedAsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root(t), "docs/verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	const command = "sha256sum --ignore-missing -c checksums.txt"
	if !strings.Contains(string(page), "\n"+command+"\n") {
		t.Fatalf("docs/verify.md does not say %s", command)
	}
	if out := run(t, released(t), nil, "sh", "-c", command); !strings.Contains(out, "kubeshark-pfring-0.1.0.tgz: OK") || strings.Contains(out, "FAILED") {
		t.Errorf("%s", out)
	}
}

// Whoever builds the release again, with the key, gets the signatures too.
func TestSignaturesAreTheSameTwice(t *testing.T) {
	dir, keyring := signed(t)
	chart := filepath.Join(dir, "kubeshark-pfring-0.1.0.tgz")
	first := sum(t, chart+".prov")
	run(t, root(t), []string{"SOURCE_DATE_EPOCH=1700000000"}, "go", "run", "./hack/prov", "--key", filepath.Join(filepath.Dir(keyring), "key.asc"), chart)
	if sum(t, chart+".prov") != first {
		t.Error("another signature of the same chart by the same key at the same time")
	}
}
