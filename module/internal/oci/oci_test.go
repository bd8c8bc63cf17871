package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

const kernel = "6.1.0-18+cloud"

// registry is a small registry with one repository, team/modules.
type registry struct {
	*httptest.Server
	files map[string][]byte // by path below /v2/team/modules/
	// enter is asked first; it answers what it refuses.
	enter func(w http.ResponseWriter, r *http.Request) bool
	asked []string
}

func newRegistry(t *testing.T) *registry {
	g := &registry{files: map[string][]byte{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked = append(g.asked, r.URL.Path)
	if g.enter != nil && !g.enter(w, r) {
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/team/modules/")
	data, found := g.files[path]
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
	case !found:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
	default:
		_, _ = w.Write(data)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"in its own words"}]}`, code)
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func (g *registry) blob(data []byte) descriptor {
	g.files["blobs/"+digest(data)] = data
	return descriptor{Digest: digest(data), Size: int64(len(data))}
}

func (g *registry) tag(t *testing.T, tag string, m manifest) descriptor {
	t.Helper()
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	g.files["manifests/"+digest(data)] = data
	if tag != "" {
		g.files["manifests/"+tag] = data
	}
	return descriptor{Digest: digest(data), Size: int64(len(data))}
}

// artifact publishes files under the tag index.
func (g *registry) artifact(t *testing.T, files ...string) {
	t.Helper()
	var m manifest
	for i := 0; i < len(files); i += 2 {
		d := g.blob([]byte(files[i+1]))
		d.Annotations = map[string]string{titleAnnotation: files[i]}
		m.Layers = append(m.Layers, d)
	}
	g.tag(t, IndexTag, m)
}

func layer(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t *testing.T, g *registry, change func(*Options)) *Source {
	t.Helper()
	client, err := web.New(web.Options{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Registry: strings.TrimPrefix(g.URL, "http://"), Repository: "/team/modules", Client: client}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func reason(err error) outcome.Reason {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

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

func TestFetchFollowsABlobElsewhereWithoutCredentials(t *testing.T) {
	g, elsewhere := newRegistry(t), newRegistry(t)
	g.artifact(t, "index.json", "one")
	elsewhere.files = g.files
	elsewhere.enter = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			t.Error("the password went elsewhere")
		}
		return true
	}
	g.enter = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return false
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return false
		}
		return true
	}
	s := open(t, g, func(o *Options) { o.Auth = credentials.Credentials{Username: "u", Password: "p"} })
	if data, err := s.Fetch(within(t), "index.json", 100); err != nil || string(data) != "one" || len(elsewhere.asked) != 1 {
		t.Errorf("%q, %v, %v", data, err, elsewhere.asked)
	}
}

// tokens makes g want a token, which its service gives to user, or to anybody.
func (g *registry) tokens(user string) {
	given := 0
	g.enter = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			name, password, _ := r.BasicAuth()
			if name != user || (user != "" && password != "p:w") || r.FormValue("scope") != "repository:team/modules:pull" || r.FormValue("service") != "a, b" {
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
				return false
			}
			given++
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d"}`, given)
			return false
		}
		// A token is good for three requests.
		if len(g.asked)%4 == 0 || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token-") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.URL+`/token",service="a, b",scope="ignored"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return false
		}
		return true
	}
}

func dockerConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), ".dockerconfigjson")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFetchGetsInAsTheRegistryWantsIt(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("user:p:w"))
	for name, test := range map[string]struct {
		user   string
		config string
		auth   credentials.Credentials
		want   outcome.Reason
	}{
		"anonymous token":         {"", "", credentials.Credentials{}, ""},
		"token by a pull secret":  {"user", `{"auths":{"HOST/other":{"auth":"eDp5"},"https://HOST/v1/":{"auth":"` + auth + `"}}}`, credentials.Credentials{}, ""},
		"by repository":           {"user", `{"auths":{"HOST":{"auth":"eDp5"},"HOST/team":{"username":"user","password":"p:w"}}}`, credentials.Credentials{}, ""},
		"Secret over pull secret": {"user", `{"auths":{"HOST":{"auth":"eDp5"}}}`, credentials.Credentials{Username: "user", Password: "p:w"}, ""},
		"wrong password":          {"user", `{"auths":{"HOST":{"auth":"eDp5"}}}`, credentials.Credentials{}, outcome.SourceForbidden},
		"no password":             {"user", `{"auths":{}}`, credentials.Credentials{}, outcome.SourceForbidden},
	} {
		g := newRegistry(t)
		g.artifact(t, "index.json", "one", "index.json.minisig", "two")
		g.tokens(test.user)
		s := open(t, g, func(o *Options) {
			o.Auth = test.auth
			if test.config != "" {
				o.DockerConfig = dockerConfig(t, strings.ReplaceAll(test.config, "HOST", o.Registry))
			}
		})
		for range 5 {
			if _, err := s.Fetch(within(t), "index.json", 100); reason(err) != test.want || (err == nil) != (test.want == "") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestFetchWithAPlainPasswordOrToken(t *testing.T) {
	for challenge, auth := range map[string]credentials.Credentials{
		`Basic realm="x"`: {Username: "u", Password: "p"},
		`Bearer realm="http://127.0.0.1:1/",service="x"`: {Token: "t"},
	} {
		g := newRegistry(t)
		g.artifact(t, "index.json", "one")
		g.enter = func(w http.ResponseWriter, r *http.Request) bool {
			if got := r.Header.Get("Authorization"); got == "Bearer t" || got == "Basic dTpw" {
				return true
			}
			w.Header().Set("WWW-Authenticate", challenge)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return false
		}
		if _, err := open(t, g, func(o *Options) { o.Auth = auth }).Fetch(within(t), "index.json", 100); err != nil {
			t.Errorf("%s: %v", challenge, err)
		}
		_, err := open(t, g, func(o *Options) { o.Auth = credentials.Credentials{Username: "u", Token: "wrong", Password: "secret"} }).Fetch(within(t), "index.json", 100)
		if reason(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s, wrong: %v", challenge, err)
		}
	}
}

func TestHistoricImagesAreSearched(t *testing.T) {
	own := layer(t, "./opt/lib/modules/"+kernel+"/modules.dep", "x", "./opt/lib/modules/"+kernel+"/pf_ring.ko", "own")
	all := layer(t, "opt/modules/pf-ring-"+kernel+".ko", "all", "opt/modules/pf-ring-5.4.0.ko", "other")
	base := layer(t, "etc/os-release", "Alpine")
	for name, test := range map[string]struct {
		publish func(g *registry)
		want    string
		where   string
		reason  outcome.Reason
	}{
		"an image for the kernel": {func(g *registry) {
			g.tag(t, "6.1.0-18_cloud", manifest{Layers: []descriptor{g.blob(own), g.blob(base)}})
		}, "own", "6.1.0-18_cloud:/opt/lib/modules/" + kernel + "/pf_ring.ko", ""},
		"an image for all": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(base), g.blob(all)}}) }, "all", "all:/opt/modules/pf-ring-" + kernel + ".ko", ""},
		"both": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(all)}})
			g.tag(t, "6.1.0-18_cloud", manifest{Layers: []descriptor{g.blob(own)}})
		}, "own", "", ""},
		"for several platforms": {func(g *registry) {
			arm, amd := g.tag(t, "", manifest{Layers: []descriptor{g.blob(base)}}), g.tag(t, "", manifest{Layers: []descriptor{g.blob(all)}})
			arm.Platform.OS, arm.Platform.Architecture, amd.Platform.OS, amd.Platform.Architecture = "linux", "arm64", "linux", "amd64"
			g.tag(t, "all", manifest{Manifests: []descriptor{arm, amd}})
		}, "all", "", ""},
		"for another platform": {func(g *registry) {
			arm := g.tag(t, "", manifest{Layers: []descriptor{g.blob(all)}})
			arm.Platform.OS, arm.Platform.Architecture = "linux", "arm64"
			g.tag(t, "all", manifest{Manifests: []descriptor{arm}})
		}, "", "", outcome.NoModuleForKernel},
		"for other kernels": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(base)}}) }, "", "", outcome.NoModuleForKernel},
		"no image":          {func(*registry) {}, "", "", outcome.NoModuleForKernel},
		"too large": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(layer(t, "opt/modules/pf-ring-"+kernel+".ko", strings.Repeat("x", 101)))}})
		}, "", "", outcome.TooLarge},
		"layer too large": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{{Size: maxLayer + 1, Digest: digest(nil)}}})
		}, "", "", outcome.TooLarge},
		"no tar": {func(g *registry) {
			g.tag(t, "all", manifest{Layers: []descriptor{g.blob(bytes.Repeat([]byte("x"), 600))}})
		}, "", "", outcome.SourceInvalid},
		"half a tar": {func(g *registry) { g.tag(t, "all", manifest{Layers: []descriptor{g.blob(all[:len(all)/8])}}) }, "", "", outcome.SourceInvalid},
	} {
		g := newRegistry(t)
		test.publish(g)
		s := open(t, g, nil)
		data, where, err := s.FetchHistoric(within(t), kernel, "amd64", 100)
		if string(data) != test.want || reason(err) != test.reason || (test.where != "" && where != test.where) {
			t.Errorf("%s: %q at %s, %v", name, data, where, err)
		}
		if tagged := len(g.files) > 0; s.HasHistoric(within(t), kernel) != tagged {
			t.Errorf("%s: tells %v of a historic image", name, !tagged)
		}
	}
}

func TestOpenRefusesWhatIsNoRepository(t *testing.T) {
	for _, repository := range []string{"", "/", "team/modules:tag", "team/modules@sha256:x", "Team/modules"} {
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
		"docker.io": "https://registry-1.docker.io library/x", "ghcr.io": "https://ghcr.io x", "localhost:5000": "http://localhost:5000 x",
		"127.0.0.1:5000": "http://127.0.0.1:5000 x", "[::1]:5000": "http://[::1]:5000 x", "r.example:5000": "https://r.example:5000 x",
	} {
		s, err := Open(Options{Registry: registry, Repository: "x"})
		if err != nil || s.base.String()+" "+s.Repository != want {
			t.Errorf("%s: %v, %v", registry, s, err)
		}
	}
}

func TestDockerConfigKeysFitInAllTheirForms(t *testing.T) {
	entry := `{"auth":"` + base64.StdEncoding.EncodeToString([]byte("u:p")) + `"}`
	for _, test := range []struct {
		key, registry string
		want          bool
	}{
		{"https://index.docker.io/v1/", "docker.io", true}, {"docker.io", "registry-1.docker.io", true}, {"ghcr.io", "ghcr.io", true},
		{"ghcr.io/team", "ghcr.io", true}, {"ghcr.io/tea", "ghcr.io", false}, {"ghcr.io:443", "ghcr.io", false}, {"http://ghcr.io/v2/", "ghcr.io", true},
	} {
		auth, why := parseDockerConfig([]byte(`{"auths":{"`+test.key+`":`+entry+`}}`), test.registry, "team/modules")
		if (auth.Username == "u" && auth.Password == "p") != test.want || why != "" {
			t.Errorf("%+v: %v, %s", test, auth, why)
		}
	}
}

func FuzzSearchLayer(f *testing.F) {
	f.Add([]byte("opt/modules/pf-ring-x.ko"))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, blob []byte) {
		if data, where, err := searchLayer(blob, "x", 100); len(data) > 100 || (data != nil && err == nil && !isModule(where, "x")) {
			t.Errorf("%d bytes at %q, %v", len(data), where, err)
		}
	})
}

func FuzzParseChallenge(f *testing.F) {
	f.Add(`Bearer realm="https://x/token",service="a, b",scope=c`)
	f.Fuzz(func(t *testing.T, value string) {
		scheme, parameters := parseChallenge(value)
		if scheme != strings.ToLower(scheme) || len(parameters) > 32 {
			t.Errorf("%q: %q %v", value, scheme, parameters)
		}
	})
}

func FuzzParseDockerConfig(f *testing.F) {
	f.Add([]byte(`{"auths":{"r":{"auth":"dTpw"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if auth, why := parseDockerConfig(data, "r", "x"); why != "" && (auth != credentials.Credentials{}) {
			t.Errorf("%v and %s", auth, why)
		}
	})
}

func TestHistoricReleasesAreTheTagsThatLookLikeOnes(t *testing.T) {
	g := newRegistry(t)
	pages := map[string]string{
		"":      `{"tags":["6.1.0-18_cloud","all","latest","index"]}`,
		"index": `{"tags":["5.10.199-190.747.amzn2.x86_64"]}`,
	}
	g.enter = func(w http.ResponseWriter, r *http.Request) bool {
		last := r.FormValue("last")
		if last == "" {
			w.Header().Set("Link", `</v2/team/modules/tags/list?last=index>; rel="next"`)
		}
		_, _ = fmt.Fprint(w, pages[last])
		return false
	}
	releases, all, err := open(t, g, nil).HistoricReleases(within(t))
	if err != nil || !all || strings.Join(releases, " ") != "6.1.0-18_cloud 5.10.199-190.747.amzn2.x86_64" {
		t.Errorf("%v, %v, %v", releases, all, err)
	}
}
