package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// copies are the Secrets and ConfigMaps that the values name, as files of this
// machine; "" is none. Whoever opens a source or a registry with them has read
// all there is to read then, and removes them at once.
type copies struct{ dir, credentials, keys, ca, docker string }

// copySecrets reads them from the cluster if the caller asks for it. Of kmm's only the
// pull secret is of use here.
func (a *Access) copySecrets(ctx context.Context, k valuesschema.KernelModule) (b copies, err error) {
	if a.Cluster == nil {
		return b, nil
	}
	config, namespace, err := a.Cluster()
	if err != nil {
		return b, err
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return b, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "pfring-"); err != nil {
		return b, fmt.Errorf("cannot make a folder for what the Secrets hold: %w", err)
	}
	take := func(name, as string, read func(dir string) error) string {
		dir := filepath.Join(b.dir, as)
		if name == "" || err != nil {
			return ""
		}
		err = read(dir)
		return dir
	}
	secret := func(name, as string) string {
		return take(name, as, func(dir string) error { return cluster.WriteSecret(ctx, client, namespace, name, dir) })
	}
	if dir := secret(k.ImageRepoSecret, "docker"); dir != "" {
		b.docker = filepath.Join(dir, ".dockerconfigjson")
	}
	if k.Mode != "kmm" {
		b.credentials = secret(k.Source.CredentialsSecret, "credentials")
		b.keys = secret(k.Source.PublicKeySecret, "keys")
		bundle := k.Source.CABundle
		dir := secret(bundle.Secret, "ca")
		if dir == "" {
			dir = take(bundle.ConfigMap, "ca", func(dir string) error { return cluster.WriteConfigMap(ctx, client, namespace, bundle.ConfigMap, dir) })
		}
		if dir != "" {
			b.ca = filepath.Join(dir, bundle.Key)
		}
	}
	if err != nil {
		return copies{}, errors.Join(err, b.remove())
	}
	return b, nil
}

// remove removes the files.
func (b copies) remove() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// publicKeys reads the keys of the Secret: each of its files is one.
func (b copies) publicKeys() ([]string, error) {
	if b.keys == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(b.keys, "*"))
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(files)
	if err != nil {
		return nil, fmt.Errorf("source.publicKeySecret: %w", err)
	}
	return keys, nil
}
