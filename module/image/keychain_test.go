package image_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

// guarded is a registry for one user.
func guarded(t *testing.T) (host string) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Reading and writing with one and the same login, from each place where it may
// be kept.
func TestTheCallersLoginIsUsedToReadAndToWrite(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("user:secret"))
	for name, config := range map[string]func(host string) string{
		"an entry": func(host string) string { return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, auth) },
		"a glob": func(host string) string {
			_, port, _ := strings.Cut(host, ":")
			return fmt.Sprintf(`{"auths":{"127.*.*.1:%s":{"auth":%q},"other.example.com":{"auth":"%%"}}}`, port, auth)
		},
		"a credential helper": func(host string) string { return fmt.Sprintf(`{"credHelpers":{%q:"pfringtest"}}`, host) },
		"a credential store":  func(string) string { return `{"credsStore":"pfringtest"}` },
	} {
		for _, own := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, own %v", name, own), func(t *testing.T) {
				host, dir := guarded(t), t.TempDir()
				helper := "#!/bin/sh\ncat > /dev/null\necho '{\"Username\":\"user\",\"Secret\":\"secret\"}'\n"
				moduletest.WriteFiles(t, dir, map[string][]byte{"config.json": []byte(config(host)), "docker-credential-pfringtest": []byte(helper)})
				if err := os.Chmod(filepath.Join(dir, "docker-credential-pfringtest"), 0o700); err != nil {
					t.Fatal(err)
				}
				t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
				file := filepath.Join(dir, "config.json")
				if own {
					t.Setenv("DOCKER_CONFIG", dir)
					file = ""
				}
				s, err := image.NewStore("oci://"+host+"/team/pf-ring", access(t, image.RemoteOptions{DockerConfig: file}))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Tag(t.Context(), "index", []image.Stored{{Title: "index.json", Data: []byte("{}"), Type: image.IndexType}}); err != nil {
					t.Fatalf("writing: %v", err)
				}
				source, err := module.OpenSource(module.SourceOptions{URL: "oci://" + host + "/team/pf-ring", Login: image.CallerLogin(file)})
				if err != nil {
					t.Fatal(err)
				}
				if data, err := source.Fetch(t.Context(), "index.json", 100); err != nil || string(data) != "{}" {
					t.Errorf("reading: %q, %v", data, err)
				}
			})
		}
	}
}

func TestAPullSecretRunsNoProgram(t *testing.T) {
	dir := t.TempDir()
	moduletest.WriteFiles(t, dir, map[string][]byte{"secret": []byte(`{"credsStore":"pfringtest"}`)})
	k, err := image.ReadKeychain(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	repository, err := name.NewRepository("r.example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	if auth, err := k.Resolve(repository); err != nil || auth != authn.Anonymous {
		t.Errorf("%v, %v, want anonymous", auth, err)
	}
	if _, err := image.ReadKeychain("/dev/zero"); err == nil {
		t.Error("a device was read")
	}
}

// Where config.json is something else than a file, as for a caller without one, no
// login is used; asked for explicitly it is an error.
func TestADockerConfigThatIsNoFileHasNoLogins(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "config.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	if k, err := image.CallerKeychain(""); err != nil || k != authn.DefaultKeychain {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := image.CallerKeychain(filepath.Join(dir, "config.json")); err == nil {
		t.Error("a folder was read")
	}
}
