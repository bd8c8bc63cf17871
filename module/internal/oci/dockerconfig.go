package oci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// dockerAuth finds the credentials for a repository in a docker config file;
// none if there is no file or no entry. Credential helpers are programs, and
// the agent runs none.
func dockerAuth(file, registry, repository string) (credentials.Credentials, error) {
	if file == "" {
		return credentials.Credentials{}, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return credentials.Credentials{}, nil
	}
	if err != nil {
		return credentials.Credentials{}, badConfig(file, "it cannot be read: "+errors.Unwrap(err).Error())
	}
	auth, why := parseDockerConfig(data, registry, repository)
	if why != "" {
		return credentials.Credentials{}, badConfig(file, why)
	}
	return auth, nil
}

func badConfig(file, why string) error {
	return &fault.Error{
		Reason: outcome.SourceForbidden, What: "reading the pull secret", Where: file, Why: why,
		Do: "Make the Secret with `kubectl create secret docker-registry` and name it in imageRepoSecret.",
	}
}

type dockerEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	RegistryToken string `json:"registrytoken"`
}

// parseDockerConfig takes the entry whose key fits best: a host, with or
// without a path, as kubelet has it. why says what is wrong with the file,
// without any of its content.
func parseDockerConfig(data []byte, registry, repository string) (auth credentials.Credentials, why string) {
	var config struct {
		Auths map[string]dockerEntry `json:"auths"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return auth, "it is not a docker config file"
	}
	target := registryKey(registry) + "/" + repository
	var best dockerEntry
	length := -1
	for key, e := range config.Auths {
		if k := registryKey(key); len(k) > length && (target == k || strings.HasPrefix(target, k+"/")) {
			best, length = e, len(k)
		}
	}
	if best.RegistryToken != "" {
		return credentials.Credentials{Token: best.RegistryToken}, ""
	}
	auth = credentials.Credentials{Username: best.Username, Password: best.Password}
	if best.Auth == "" {
		return auth, ""
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(best.Auth))
	user, password, ok := strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
	if err != nil || !ok {
		return credentials.Credentials{}, "its entry for the registry has no base64 of user:password as auth"
	}
	return credentials.Credentials{Username: user, Password: password}, ""
}

// registryKey brings the many ways to write a registry to one.
func registryKey(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	key = strings.TrimSuffix(key, "/")
	key = strings.TrimSuffix(strings.TrimSuffix(key, "/v1"), "/v2")
	host, path, ok := strings.Cut(key, "/")
	if isDockerHub(host) {
		host = "docker.io"
	}
	if ok {
		return host + "/" + path
	}
	return host
}
