package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/dockerconfig"
)

// maxConfig bounds a docker config, in bytes.
const maxConfig = 4 << 20

// keychain finds logins in a docker config.
type keychain struct {
	path string
	data []byte
	// helpers has the programs that the file names; nil runs none.
	helpers *configfile.ConfigFile
}

var _ authn.Keychain = keychain{}

// ReadKeychain reads a file of the form of .dockerconfigjson, such as a pull
// secret's. Programs that it names are not run.
func ReadKeychain(path string) (authn.Keychain, error) { return readKeychain(path) }

func readKeychain(path string) (keychain, error) {
	data, err := readfile.Bounded(path, maxConfig)
	if err != nil {
		return keychain{}, fmt.Errorf("cannot read the docker config: %w", err)
	}
	if _, err := dockerconfig.Find(data, "", ""); errors.Is(err, dockerconfig.ErrForm) {
		return keychain{}, fmt.Errorf("%s: %w", path, err)
	}
	return keychain{path: path, data: data}, nil
}

// CallerKeychain has the logins of whoever runs the command: those of the file,
// with the credential helpers that it names, or without a file those of
// $DOCKER_CONFIG or ~/.docker, and of Podman.
func CallerKeychain(file string) (authn.Keychain, error) {
	if file == "" {
		if file = ownConfig(); file == "" {
			return authn.DefaultKeychain, nil // Podman's, or none
		}
	}
	k, err := readKeychain(file)
	if err != nil {
		return nil, err
	}
	// Nothing but the helpers: a broken entry does not matter until it is
	// needed.
	var named struct {
		CredsStore  string            `json:"credsStore"`
		CredHelpers map[string]string `json:"credHelpers"`
	}
	if err := json.Unmarshal(k.data, &named); err != nil {
		return nil, fmt.Errorf("%s: invalid credential helpers: must be a name and a map of names", file)
	}
	k.helpers = configfile.New("")
	k.helpers.CredentialsStore, k.helpers.CredentialHelpers = named.CredsStore, named.CredHelpers
	return k, nil
}

// keychain has the login of o.CredentialsDir for every registry, or those of
// o.DockerConfig.
func (o RemoteOptions) keychain() (authn.Keychain, error) {
	login, err := credentials.Load(o.CredentialsDir)
	if err != nil {
		return nil, err
	}
	if login.Username == "" && login.Token == "" {
		return CallerKeychain(o.DockerConfig)
	}
	return oneLogin{authn.AuthConfig{Username: login.Username, Password: login.Password, RegistryToken: login.Token}}, nil
}

// oneLogin is a login for every registry.
type oneLogin struct{ authn.AuthConfig }

var _ authn.Keychain = oneLogin{}

// Resolve returns it.
func (l oneLogin) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(l.AuthConfig), nil
}

// ownConfig is the caller's docker config; "" if there is none.
func ownConfig() string {
	dir := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".docker")
	}
	file := filepath.Join(dir, "config.json")
	if info, err := os.Stat(file); dir == "" || err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return file
}

// Resolve finds the login whose key fits the most of the resource.
func (k keychain) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	repository := strings.TrimPrefix(strings.TrimPrefix(resource.String(), resource.RegistryStr()), "/")
	l, err := dockerconfig.Find(k.data, resource.RegistryStr(), repository)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.path, err)
	}
	if l == (dockerconfig.Login{}) && k.helpers != nil {
		return k.helped(resource)
	}
	if l == (dockerconfig.Login{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: l.Username, Password: l.Password, IdentityToken: l.IdentityToken, RegistryToken: l.RegistryToken,
	}), nil
}

// helped asks the program that the file names for the registry.
func (k keychain) helped(resource authn.Resource) (authn.Authenticator, error) {
	host := resource.RegistryStr()
	if dockerconfig.IsDockerHub(host) {
		host = authn.DefaultAuthKey
	}
	if k.helpers.CredentialHelpers[host] == "" && k.helpers.CredentialsStore == "" {
		return authn.Anonymous, nil
	}
	got, err := k.helpers.GetAuthConfig(host)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot get the login for %s: %w", k.path, resource.RegistryStr(), err)
	}
	login := authn.AuthConfig{Username: got.Username, Password: got.Password, IdentityToken: got.IdentityToken, RegistryToken: got.RegistryToken}
	if login == (authn.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(login), nil
}

// CallerLogin finds the logins of CallerKeychain as module.SourceOptions takes
// them, so that reading and writing are done by the same user. The file is read
// when a registry is opened.
func CallerLogin(file string) func(registry, repository string) (module.RegistryLogin, error) {
	return func(registry, repository string) (module.RegistryLogin, error) {
		k, err := CallerKeychain(file)
		if err != nil {
			return module.RegistryLogin{}, err
		}
		auth, err := k.Resolve(resource{registry, repository})
		if err != nil {
			return module.RegistryLogin{}, err
		}
		got, err := auth.Authorization()
		if err != nil {
			return module.RegistryLogin{}, fmt.Errorf("cannot get the login for %s: %w", registry, err)
		}
		return module.RegistryLogin{Username: got.Username, Password: got.Password, IdentityToken: got.IdentityToken, RegistryToken: got.RegistryToken}, nil
	}
}

// resource is a repository of a registry.
type resource struct{ registry, repository string }

// RegistryStr is Docker Hub's old name where that is meant: logins have it.
func (r resource) RegistryStr() string {
	if dockerconfig.IsDockerHub(r.registry) {
		return "index.docker.io"
	}
	return r.registry
}

func (r resource) String() string { return r.RegistryStr() + "/" + r.repository }
