package image

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// keychain holds logins by registry, or by registry and path as Kubernetes has
// them.
type keychain map[string]authn.AuthConfig

var _ authn.Keychain = keychain(nil)

// ReadKeychain reads a file of the form of .dockerconfigjson.
func ReadKeychain(path string) (authn.Keychain, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the docker config: %w", err)
	}
	return parseKeychain(path, data)
}

func parseKeychain(path string, data []byte) (keychain, error) {
	var config struct {
		Auths map[string]struct {
			Auth, Username, Password, IdentityToken, RegistryToken string
		}
	}
	if err := json.Unmarshal(data, &config); err != nil {
		// Not err: it may quote what it has read.
		return nil, fmt.Errorf("%s is not a docker config: it is not JSON of that form", path)
	}
	k := keychain{}
	for host, a := range config.Auths {
		login := authn.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
		if a.Auth != "" {
			plain, err := base64.StdEncoding.DecodeString(a.Auth)
			user, password, ok := strings.Cut(string(plain), ":")
			if err != nil || !ok {
				return nil, fmt.Errorf("%s: the login for %s is not base64 of user:password", path, host)
			}
			login.Username, login.Password = user, password
		}
		k[key(host)] = login
	}
	return k, nil
}

// key takes off what Docker has written around hosts over the years.
func key(host string) string {
	_, rest, ok := strings.Cut(host, "://")
	if !ok {
		rest = host
	}
	rest = strings.Trim(rest, "/")
	for _, suffix := range []string{"/v1", "/v2"} {
		rest = strings.TrimSuffix(rest, suffix)
	}
	if rest == "docker.io" || rest == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return rest
}

// Resolve finds the login whose key fits the most of the resource.
func (k keychain) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	for at := resource.String(); ; {
		if login, ok := k[at]; ok {
			return authn.FromConfig(login), nil
		}
		cut := strings.LastIndexByte(at, '/')
		if cut < 0 {
			return authn.Anonymous, nil
		}
		at = at[:cut]
	}
}
