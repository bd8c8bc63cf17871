package module

import (
	"context"
	"log/slog"

	"github.com/kubeshark/kubeshark-pfring/module/internal/dockerconfig"
)

// Source is where a module repository lies.
type Source interface {
	// Fetch returns the whole file at path, which is relative to the
	// repository's root and has slashes. It fails with *Error: reason too-large
	// when the file has more than max bytes, ErrNotFound in the chain when there
	// is none, a reason of group repository otherwise. It retries what may pass,
	// until ctx ends.
	Fetch(ctx context.Context, path string, max int64) ([]byte, error)
	// String is the repository's address as a person writes it, without secrets.
	String() string
}

// RegistryLogin is what gets into a registry, as a docker config has it.
type RegistryLogin = dockerconfig.Login

// SourceOptions say where a repository is and how to get at it.
type SourceOptions struct {
	// URL has one of the Schemes. http:// is accepted too: what a signature
	// proves does not depend on the transport.
	URL string
	// Region, Endpoint and PathStyle are for s3.
	Region    string
	Endpoint  string
	PathStyle bool
	// CredentialsDir is a folder, such as a mounted Secret, with files named
	// accessKeyID, secretAccessKey, sessionToken; or username, password; or
	// token. "" or an empty folder means none.
	CredentialsDir string
	// DockerConfig is the path of a .dockerconfigjson, for oci.
	DockerConfig string
	// Login finds the caller's own login to a registry, for oci, where there is
	// neither CredentialsDir nor DockerConfig; nil is nobody's.
	Login func(registry, repository string) (RegistryLogin, error)
	// CAFile is a PEM bundle that is trusted besides the system's.
	CAFile string
	// ProxyHTTP, ProxyHTTPS and ProxyNo are as HTTP_PROXY, HTTPS_PROXY and
	// NO_PROXY; all empty takes those from the environment.
	ProxyHTTP, ProxyHTTPS, ProxyNo string
	// ProxyCredentialsDir is a folder, such as a mounted Secret, with files named
	// username and password for ProxyHTTP and ProxyHTTPS; "" means none.
	ProxyCredentialsDir string
	// UserAgent is sent with each request.
	UserAgent string
	// Log gets retries and warnings; nil drops them.
	Log *slog.Logger
	// UnknownHostFinal ends with the first answer of DNS that a host does not exist.
	// It is for a person who waits: a node that is starting may know the name soon.
	UnknownHostFinal bool
}
