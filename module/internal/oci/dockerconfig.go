package oci

import (
	"errors"
	"io/fs"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/dockerconfig"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxConfig bounds a docker config, in bytes: a Secret has no more.
const maxConfig = 1 << 20

// dockerAuth finds the credentials for a repository in a docker config file;
// none if there is no file or no entry. Credential helpers are programs, and
// the agent runs none.
func dockerAuth(file, registry, repository string) (credentials.Credentials, error) {
	if file == "" {
		return credentials.Credentials{}, nil
	}
	data, err := readfile.Regular(file, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return credentials.Credentials{}, nil
	}
	if err != nil {
		return credentials.Credentials{}, badConfig(file, "it cannot be read: "+readfile.Cause(err).Error())
	}
	login, err := dockerconfig.Find(data, registry, repository)
	if err != nil {
		return credentials.Credentials{}, badConfig(file, err.Error())
	}
	if login.RegistryToken != "" {
		return credentials.Credentials{Token: login.RegistryToken}, nil
	}
	return credentials.Credentials{Username: login.Username, Password: login.Password, IdentityToken: login.IdentityToken}, nil
}

func badConfig(file, why string) error {
	return &fault.Error{
		Reason: outcome.SourceForbidden, What: "read the pull secret", Where: file, Why: why,
		Do: "Create the Secret with `kubectl create secret docker-registry` and name it in imageRepoSecret.",
	}
}
