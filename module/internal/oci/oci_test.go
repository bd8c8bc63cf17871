package oci

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestFetchReadsTheIndexArtifact(t *testing.T) {
	g := newRegistry(t)
	g.artifact(t, "index.json", "one", "index.json.minisig", "signature of one")
	s := open(t, g, nil)
	get := func(path string) string {
		data, err := s.Fetch(within(t), path, 100)
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	if got := get("index.json"); got != "one" {
		t.Error(got)
	}
	g.artifact(t, "index.json", "two", "index.json.minisig", "signature of two")
	if got := get("index.json.minisig"); got != "signature of one" {
		t.Errorf("the signature is of another publication than the index: %s", got)
	}
	if got := get("index.json") + get("index.json.minisig"); got != "twosignature of two" {
		t.Errorf("a later index is not the later publication's: %s", got)
	}
	if _, err := s.Fetch(within(t), "other", 100); !errors.Is(err, fault.ErrNotFound) {
		t.Error(err)
	}
	module := g.blob([]byte("module"))
	if data, err := s.FetchBlob(within(t), strings.TrimPrefix(module.Digest, "sha256:"), 100); err != nil || string(data) != "module" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestFetchRefusesWhatTheRegistryGetsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(g *registry)
		want   outcome.Reason
		lost   bool
	}{
		"no tag":       {func(g *registry) { delete(g.files, "manifests/index") }, outcome.SourceInvalid, true},
		"no blob":      {func(g *registry) { delete(g.files, "blobs/"+digest([]byte("one"))) }, outcome.SourceInvalid, true},
		"swapped blob": {func(g *registry) { g.files["blobs/"+digest([]byte("one"))] = []byte("two") }, outcome.DigestMismatch, false},
		"larger blob":  {func(g *registry) { g.files["blobs/"+digest([]byte("one"))] = make([]byte, 101) }, outcome.TooLarge, false},
		"no manifest":  {func(g *registry) { g.files["manifests/index"] = []byte("<html>") }, outcome.SourceInvalid, false},
		"schema 1":     {func(g *registry) { g.files["manifests/index"] = []byte(`{"schemaVersion":1}`) }, outcome.SourceInvalid, false},
		"digest of nothing": {func(g *registry) {
			g.files["manifests/index"] = []byte(`{"schemaVersion":2,"layers":[{"digest":"sha256:../x","annotations":{"org.opencontainers.image.title":"index.json"}}]}`)
		}, outcome.SourceInvalid, false},
	} {
		g := newRegistry(t)
		g.artifact(t, "index.json", "one")
		test.change(g)
		_, err := open(t, g, nil).Fetch(within(t), "index.json", 100)
		if reason(err) != test.want || errors.Is(err, fault.ErrNotFound) != test.lost {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := newRegistry(t)
	_, err := open(t, g, func(o *Options) { o.Repository = "other" }).Fetch(within(t), "index.json", 100)
	if reason(err) != outcome.SourceInvalid || errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), "in its own words") {
		t.Errorf("no such repository: %v", err)
	}
}

// What a manifest says beside digests and titles changes nothing: no layer is fetched
// from elsewhere, and nothing is followed deeper than a platform's image.
func TestOddManifestsAreReadOrRefused(t *testing.T) {
	one := `{"digest":"` + digest([]byte("one")) + `","size":3,"annotations":{"org.opencontainers.image.title":"index.json"}`
	manifest := func(layers string) string { return `{"schemaVersion":2,"layers":[` + layers + `]}` }
	for name, test := range map[string]struct {
		manifest string
		want     outcome.Reason
	}{
		"a layer elsewhere":                   {manifest(one + `,"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","urls":["http://127.0.0.1:1/one"]}`), ""},
		"a size that is wrong":                {manifest(strings.Replace(one, `"size":3`, `"size":-9223372036854775808`, 1) + "}"), ""},
		"two layers of one title":             {manifest(one + "}," + strings.Replace(one, digest([]byte("one")), digest([]byte("two")), 1) + "}"), ""},
		"a hundred thousand layers before it": {manifest(strings.Repeat(`{"digest":"x"},`, 100_000) + one + "}"), ""},
		"annotations of megabytes":            {manifest(strings.Replace(one, `"annotations":{`, `"annotations":{"a":"`+strings.Repeat("a", 2<<20)+`",`, 1) + "}"), ""},
		"a hundred thousand annotations":      {manifest(strings.Replace(one, `"annotations":{`, `"annotations":{`+many(100_000), 1) + "}"), ""},
		"more than a manifest may have":       {manifest(strings.Replace(one, `"annotations":{`, `"annotations":{"a":"`+strings.Repeat("a", maxManifest)+`",`, 1) + "}"), outcome.TooLarge},
		"an index":                            {`{"schemaVersion":2,"manifests":[` + one + `,"platform":{"os":"linux","architecture":"amd64"}}]}`, outcome.SourceInvalid},
		"data in the descriptor":              {manifest(`{"digest":"` + digest([]byte("other")) + `","data":"b25l","annotations":{"org.opencontainers.image.title":"index.json"}}`), outcome.SourceInvalid},
		"a digest of another kind":            {manifest(strings.Replace(one, "sha256:", "sha512:", 1) + "}"), outcome.SourceInvalid},
		"a digest in capital letters":         {manifest(strings.ToUpper(one[:80]) + one[80:] + "}"), outcome.SourceInvalid},
		"a digest that leads elsewhere":       {manifest(`{"digest":"sha256:../../../../other","annotations":{"org.opencontainers.image.title":"index.json"}}`), outcome.SourceInvalid},
		"a title that leads elsewhere":        {manifest(strings.Replace(one, "index.json", "../index.json", 1) + "}"), outcome.SourceInvalid},
		"layers of text":                      {`{"schemaVersion":2,"layers":"one"}`, outcome.SourceInvalid},
		"nested deeper than can be read":      {`{"schemaVersion":2,"layers":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", outcome.SourceInvalid},
		"a version beyond all":                {`{"schemaVersion":1e400}`, outcome.SourceInvalid},
	} {
		g := newRegistry(t)
		g.artifact(t, "index.json", "one")
		g.files["manifests/index"] = []byte(test.manifest)
		data, err := open(t, g, nil).Fetch(within(t), "index.json", 100)
		if reason(err) != test.want || (err == nil) != (string(data) == "one") {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("%s: a message of %d bytes: %.300q", name, len(err.Error()), err)
		}
		for _, path := range g.asked {
			if !strings.HasPrefix(path, "/v2/team/modules/") {
				t.Errorf("%s: asked for %s", name, path)
			}
		}
	}
}

// many are so many annotations.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"` + strconv.Itoa(i) + `":"",`)
	}
	return b.String()
}

// An index of images for platforms leads to an image, and to no other index.
func TestAnIndexOfIndexesIsNotFollowed(t *testing.T) {
	platform := func(d descriptor) manifest {
		d.Platform.OS, d.Platform.Architecture = "linux", "amd64"
		return manifest{Manifests: []descriptor{d}}
	}
	g := newRegistry(t)
	image := g.tag(t, "", manifest{Layers: []descriptor{g.blob(layer(t, "opt/modules/pf-ring-6.1.0.ko", "module"))}})
	g.tag(t, "6.1.0", platform(image))
	if data, _, err := open(t, g, nil).FetchHistoric(within(t), "6.1.0", "amd64", 100); err != nil || string(data) != "module" {
		t.Fatalf("%q, %v", data, err)
	}
	inner := g.tag(t, "", platform(image))
	g.tag(t, "6.1.0", platform(inner))
	if data, _, err := open(t, g, nil).FetchHistoric(within(t), "6.1.0", "amd64", 100); reason(err) != outcome.NoModuleForKernel {
		t.Errorf("%q, %v", data, err)
	}
	// Of an image that a digest names, another is none.
	g.files["manifests/"+image.Digest] = []byte(`{"schemaVersion":2}`)
	g.tag(t, "6.1.0", platform(image))
	if data, _, err := open(t, g, nil).FetchHistoric(within(t), "6.1.0", "amd64", 100); reason(err) != outcome.DigestMismatch {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOpenRefusesWhatIsNoRepository(t *testing.T) {
	for _, repository := range []string{"", "/", ":tag", "team/modules@sha256:x", "team/modules?x", "Team/modules"} {
		if s, err := Open(Options{Registry: "registry.example", Repository: repository}); reason(err) != outcome.SourceInvalid {
			t.Errorf("%q: %v, %v", repository, s, err)
		}
	}
	for _, text := range []string{"", "{", `{"auths":{"registry.example":{"auth":"secret"}}}`} {
		_, err := Open(Options{Registry: "registry.example", Repository: "x", DockerConfig: dockerConfig(t, text)})
		if reason(err) != outcome.SourceForbidden || strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "pull secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOpenKnowsWhereRegistriesAre(t *testing.T) {
	for registry, want := range map[string]string{
		"docker.io": "https://registry-1.docker.io library/x", "kubeshark": "https://registry-1.docker.io kubeshark/x", "ghcr.io": "https://ghcr.io x", "localhost:5000": "http://localhost:5000 x",
		"127.0.0.1:5000": "http://127.0.0.1:5000 x", "[::1]:5000": "http://[::1]:5000 x", "r.example:5000": "https://r.example:5000 x",
	} {
		s, err := Open(Options{Registry: registry, Repository: "x"})
		if err != nil || s.base.String()+" "+s.Repository != want {
			t.Errorf("%s: %v, %v", registry, s, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, body := range []string{
		"", "{}", `{"schemaVersion":1}`, `{"schemaVersion":2,"layers":[{"digest":"sha256:0","size":-1}]}`, `{"schemaVersion":2,"manifests":[{"platform":null}]}`,
		`{"schemaVersion":2,"manifests":[{"digest":"a","platform":{"os":"linux","architecture":"amd64"}},{"digest":"b","platform":{"os":"linux","architecture":"amd64"}}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseManifest("read it", "oci://r/x", body)
		if (m == nil) == (err == nil) || m != nil && m.SchemaVersion != 2 {
			t.Errorf("%+v, %v", m, err)
		}
	})
}
