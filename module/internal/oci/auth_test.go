package oci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

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

// A docker config holds an identity token where the password is not to be
// stored: it is exchanged, and never sent to the registry itself.
func TestAnIdentityTokenIsExchanged(t *testing.T) {
	g := newRegistry(t)
	g.artifact(t, "index.json", "one")
	g.enter = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if r.Method != http.MethodPost || r.FormValue("grant_type") != "refresh_token" || r.FormValue("refresh_token") != "identity" ||
				r.FormValue("scope") != "repository:team/modules:pull" || r.FormValue("service") != "s" {
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
				return false
			}
			_, _ = fmt.Fprint(w, `{"access_token":"access"}`)
			return false
		}
		if r.Header.Get("Authorization") != "Bearer access" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.URL+`/token",service="s"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
			return false
		}
		return true
	}
	s := open(t, g, func(o *Options) {
		o.Login = func(string, string) (credentials.Credentials, error) {
			return credentials.Credentials{IdentityToken: "identity"}, nil
		}
	})
	if data, err := s.Fetch(within(t), "index.json", 100); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestParseChallenge(t *testing.T) {
	for value, want := range map[string]map[string]string{
		``:                                      {},
		`Bearer`:                                {},
		`Bearer realm="https://x/t",service=s`:  {"realm": "https://x/t", "service": "s"},
		`bearer  Realm = "a, b" , scope=c, d`:   {"realm": "a, b", "scope": "c"},
		`Basic realm="a \"b\"",charset="UTF-8"`: {"realm": `a \"b\"`, "charset": "UTF-8"},
		`Bearer realm="never ends`:              {"realm": ""},
	} {
		if _, got := parseChallenge(value); !maps.Equal(got, want) {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
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

// A registry that speaks TLS may not send the password to a service that does
// not, however it asks.
func TestAPasswordIsNeverSentToAPlainTokenService(t *testing.T) {
	var sent string
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		_, _ = fmt.Fprint(w, `{"token":"t"}`)
	}))
	t.Cleanup(plain.Close)
	for _, secure := range []bool{true, false} {
		sent = ""
		client, err := web.New(web.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a := &authorizer{client: client, auth: credentials.Credentials{Username: "user", Password: "S3CR3T"}, scope: "x", secure: secure}
		_, err = a.token(within(t), map[string]string{"realm": plain.URL + "/token"})
		if secure != (err != nil) || secure == (sent != "") {
			t.Errorf("over TLS: %v; error %v, sent %q", secure, err, sent)
		}
	}
}

func TestAnEmptyLoginIsNeverSent(t *testing.T) {
	a := &authorizer{scope: "x", secure: true}
	r := &http.Response{Header: http.Header{"Www-Authenticate": {`Basic realm="x"`}}, Request: &http.Request{Header: http.Header{}}}
	if again, err := a.challenged(t.Context(), r); again || err != nil || a.header != "" {
		t.Errorf("again = %t, err = %v, header %q; want no second try", again, err, a.header)
	}
}

func TestAnIndexWithAnInvalidDigestIsRefused(t *testing.T) {
	m := &manifest{}
	text := `{"schemaVersion":2,"manifests":[{"digest":"sha256:../../other","platform":{"os":"linux","architecture":"amd64"}}]}`
	if err := json.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	s := &Source{Options: Options{Registry: "registry.example", Repository: "team/modules"}}
	_, err := s.forArch(t.Context(), m, "1", "amd64")
	var e *fault.Error
	if !errors.As(err, &e) || e.Reason != outcome.SourceInvalid || !strings.Contains(e.Why, "sha256:../../other") {
		t.Errorf("err = %v, want source-invalid with the digest", err)
	}
}
