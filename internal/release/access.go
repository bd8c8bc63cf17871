package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/certpool"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/image"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Access is how this machine gets at the module repository and the registries of
// the values. The values' own proxy, CA bundle and Secrets are the nodes'; without
// Cluster the caller's own logins are used in their place.
type Access struct {
	// URL, if not "", is asked instead of the values' source.url.
	URL string
	// CAFile has CAs in PEM to trust beside the system's, or is "".
	CAFile string
	// PublicKeys are minisign keys, or files with one, beside those of the values.
	PublicKeys []string
	// Timeout bounds reading the repository, and the registries.
	Timeout time.Duration
	// NoEgress says that the command has the flag --no-egress.
	NoEgress bool
	// Images says that kmm's images are looked up in their registries.
	Images bool
	// Cluster, if not nil, is where the Secrets and CA bundle that the values name
	// are read from.
	Cluster   func() (config *rest.Config, namespace string, err error)
	UserAgent string
}

// open opens the repository of the values. Warnings say what is not as on the
// nodes.
func (a *Access) open(ctx context.Context, k valuesschema.KernelModule) (source module.Source, request module.Request, warnings []string, err error) {
	// What is wrong here is found before anything remote is asked.
	keys, err := a.Keys()
	if err != nil {
		return nil, request, nil, err
	}
	if err := a.checkFiles(); err != nil {
		return nil, request, nil, err
	}
	copies, err := a.copySecrets(ctx, k)
	if err != nil {
		return nil, request, nil, err
	}
	defer func() { err = errors.Join(err, copies.remove()) }()
	values := k.Source
	request = module.Request{
		Version: values.Version, Verify: outcome.Verified(values.Verify), PublicKeys: values.PublicKeys, MinSerial: values.MinSerial,
		Now: time.Now,
	}
	secret, err := copies.publicKeys()
	if err != nil {
		return nil, request, nil, err
	}
	request.PublicKeys = slices.Concat(request.PublicKeys, keys, secret)
	if request.Verify == outcome.VerifiedSignature && values.PublicKeySecret != "" && len(request.PublicKeys) == 0 {
		request.Verify = outcome.VerifiedChecksum
		warnings = append(warnings, "the public keys are in the Secret "+values.PublicKeySecret+
			", which this command does not read, so the index's signature was not checked. Set --public-key or --use-cluster-secrets")
	}
	if values.CredentialsSecret != "" && copies.credentials == "" {
		warnings = append(warnings, "the nodes use the credentials of the Secret "+values.CredentialsSecret+", this command uses yours. To use the nodes' credentials, set --use-cluster-secrets")
	}
	source, err = module.OpenSource(module.SourceOptions{
		URL: cmp.Or(a.URL, values.URL), Region: values.Region, Endpoint: values.Endpoint, PathStyle: values.PathStyle, UserAgent: a.UserAgent,
		CAFile: cmp.Or(a.CAFile, copies.ca), CredentialsDir: copies.credentials, DockerConfig: copies.docker,
		Login: image.CallerLogin(""), UnknownHostFinal: true,
	})
	return source, request, warnings, err
}

// Read reads the repository of the values, as Open opens it. An error says what its
// caller can do.
func (a *Access) Read(ctx context.Context, k valuesschema.KernelModule) (*compatibility.Repository, []string, error) {
	source, request, warnings, err := a.open(ctx, k)
	if err != nil {
		return nil, nil, a.advise(err, k)
	}
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	end := waiting.Begin(ctx, "the module repository "+source.String())
	defer end()
	repository, err := compatibility.ReadRepository(ctx, source, request)
	if err != nil {
		return nil, nil, a.advise(err, k)
	}
	return repository, warnings, nil
}

// advise puts the remedy for the caller into an error of the repository.
func (a *Access) advise(err error, k valuesschema.KernelModule) error {
	e := (*module.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	s := k.Source
	advised := *e
	advised.Do = verdict.Caller{
		FromFlag: a.URL != "", CAFile: a.CAFile, ClusterSecrets: a.Cluster != nil, NoEgress: a.NoEgress,
		Named: s.CredentialsSecret != "" || s.CABundle.Secret != "" || s.CABundle.ConfigMap != "" || k.ImageRepoSecret != "",
	}.Remedy(e)
	return &advised
}

// Registries makes what looks images up in their registries.
func (a *Access) Registries(ctx context.Context, k valuesschema.KernelModule) (images *compatibility.Images, err error) {
	if err := a.checkFiles(); err != nil {
		return nil, err
	}
	copies, err := a.copySecrets(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, copies.remove()) }()
	return compatibility.NewImages(compatibility.ImagesOptions{CAFile: a.CAFile, DockerConfig: copies.docker, UserAgent: a.UserAgent})
}

// checkFiles finds a flag's file that cannot be read.
func (a *Access) checkFiles() error {
	if a.CAFile == "" {
		return nil
	}
	info, err := os.Stat(a.CAFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("--ca-file: file %s not found", a.CAFile)
	case err != nil:
		return fmt.Errorf("--ca-file: cannot read %s: %w", a.CAFile, errors.Unwrap(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("--ca-file: %s is not a regular file", a.CAFile)
	case info.Size() > certpool.MaxBundle:
		return fmt.Errorf("--ca-file: %s is larger than %d MiB", a.CAFile, certpool.MaxBundle>>20)
	}
	return nil
}

// Keys are those of PublicKeys, without their comments.
func (a *Access) Keys() ([]string, error) {
	keys, err := parseKeys(a.PublicKeys)
	if err != nil {
		return nil, fmt.Errorf("invalid --public-key: must be a file or a minisign public key: %w", err)
	}
	return keys, nil
}

// maxKey bounds a file with a public key, in bytes.
const maxKey = 64 << 10

// parseKeys takes minisign public keys, and files with one.
func parseKeys(list []string) ([]string, error) {
	var keys []string
	for _, text := range list {
		if info, err := os.Stat(text); err == nil && info.Mode().IsRegular() && info.Size() <= maxKey {
			data, err := os.ReadFile(text)
			if err != nil {
				return nil, err
			}
			text = string(data)
		}
		key, err := module.ParsePublicKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.String())
	}
	return keys, nil
}
