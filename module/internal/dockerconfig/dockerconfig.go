// Package dockerconfig finds logins to registries in a file as Docker writes it
// and Kubernetes' pull secrets hold it. It is the one reader of such files: the
// agent's, which runs no program, and the command line's, which adds credential
// helpers. Names match as for the kubelet: by host, which may have globs, port and
// a path that is the beginning of the repository's. It imports nothing of this
// project.
package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"path"
	"strings"
)

// Login is what gets into a registry. The zero value is nobody.
type Login struct {
	Username, Password string
	// IdentityToken is exchanged for an access token, RegistryToken is one.
	IdentityToken, RegistryToken string
}

// ErrForm is returned for what is not a docker config. Nothing of the content is in
// it.
var ErrForm = errors.New("it is not a docker config file")

// ErrLogin is returned when the entry for the registry makes no sense.
var ErrLogin = errors.New("auth of its entry for the registry is not the base64 of user:password")

// Find returns the login of the entry that fits a repository best. An entry for
// another registry may hold anything.
func Find(data []byte, registry, repository string) (Login, error) {
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return Login{}, ErrForm
	}
	target := normal(registry) + "/" + repository
	best := ""
	for key := range config.Auths {
		if matches(normal(key), target) && moreSpecific(key, best) {
			best = key
		}
	}
	if best == "" {
		return Login{}, nil
	}
	return login(config.Auths[best])
}

// moreSpecific tells whether a key says more than another: the longer one, without
// globs if possible, the first by name if that is all the same.
func moreSpecific(key, than string) bool {
	if than == "" {
		return true
	}
	a, b := normal(key), normal(than)
	pathA, pathB := strings.Count(a, "/"), strings.Count(b, "/")
	globA, globB := strings.ContainsAny(a, "*?["), strings.ContainsAny(b, "*?[")
	switch {
	case globA != globB && pathA == pathB:
		return globB
	case len(a) != len(b):
		return len(a) > len(b)
	}
	return key < than
}

func login(raw json.RawMessage) (Login, error) {
	var entry struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		return Login{}, ErrLogin
	}
	l := Login{entry.Username, entry.Password, entry.IdentityToken, entry.RegistryToken}
	if entry.Auth == "" || l.RegistryToken != "" {
		return l, nil
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(entry.Auth))
	user, password, ok := strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
	if err != nil || !ok {
		return Login{}, ErrLogin
	}
	l.Username, l.Password = user, password
	return l, nil
}

// matches tells whether a key fits a repository, both normal. A glob stands for
// (a part of) one name between dots, as for the kubelet.
func matches(key, target string) bool {
	keyHost, keyPath, _ := strings.Cut(key, "/")
	host, rest, _ := strings.Cut(target, "/")
	if keyPath != "" && rest != keyPath && !strings.HasPrefix(rest, keyPath+"/") {
		return false
	}
	keyName, keyPort, _ := strings.Cut(keyHost, ":")
	name, port, _ := strings.Cut(host, ":")
	keyParts, parts := strings.Split(keyName, "."), strings.Split(name, ".")
	if keyPort != port || len(keyParts) != len(parts) {
		return false
	}
	for i, pattern := range keyParts {
		if ok, err := path.Match(pattern, parts[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// normal brings the many ways to write a registry, with or without a path, to
// one.
func normal(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	key = strings.Trim(key, "/")
	key = strings.TrimSuffix(strings.TrimSuffix(key, "/v1"), "/v2")
	host, rest, ok := strings.Cut(key, "/")
	if IsDockerHub(host) {
		host = "docker.io"
	}
	if ok {
		return host + "/" + rest
	}
	return host
}

// IsDockerHub knows the names that Docker Hub has had.
func IsDockerHub(registry string) bool {
	return registry == "docker.io" || registry == "index.docker.io" || registry == "registry-1.docker.io"
}
